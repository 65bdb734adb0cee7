/**
 * An S3 server: the protocol, its signatures, its lists and its errors are those of s3rver, but objects are in memory. The
 * files that it would write are not all there when it answers, and its directories vanish under writers; S3 knows neither.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import S3rver from 's3rver'
import S3Object from 's3rver/lib/models/object.js'

const [directory, bucket] = process.argv.slice(2)
const server = new S3rver({
  directory,
  address: '127.0.0.1',
  port: 0,
  silent: true,
  configureBuckets: [{ name: bucket }],
})
const objects = new Map()

const metadataOf = ({ bytes, etag, metadata }) => ({
  ...metadata,
  etag: `"${etag}"`,
  'last-modified': new Date(0).toUTCString(),
  'content-length': bytes.length,
})

Object.assign(server.store, {
  putObject: async ({ key, content, metadata }) => {
    const bytes = Buffer.isBuffer(content) ? content : await buffer(content)
    const etag = createHash('md5').update(bytes).digest('hex')
    objects.set(key, { bytes, etag, metadata })
    return { size: bytes.length, md5: etag }
  },
  existsObject: async (_, key) => objects.has(key),
  getObject: async (name, key) => {
    const object = objects.get(key)
    return object === undefined ? null : new S3Object(name, key, Readable.from([object.bytes]), metadataOf(object))
  },
  deleteObject: async (_, key) => void objects.delete(key),
  listObjects: async (name, { startAfter = '', prefix = '', maxKeys = Number.POSITIVE_INFINITY }) => {
    const keys = [...objects.keys()].filter((key) => key > startAfter && key.startsWith(prefix)).sort()
    const listed = keys.slice(0, maxKeys).map((key) => new S3Object(name, key, null, metadataOf(objects.get(key))))
    return { objects: listed, commonPrefixes: [], isTruncated: keys.length > maxKeys }
  },
})

const { port } = await server.run()
process.send?.({ port })
