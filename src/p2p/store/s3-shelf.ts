/**
 * Blocks as objects of a bucket, under the names that blockstore-s3 gives them, and the list of pins beside them.
 *
 * Loaded only when somebody has a store there: the packages behind it are not installed with the others. The library's own
 * list is not used: it fails in an empty bucket, takes whatever else is there for blocks, and tells no lengths.
 */
import { type ListObjectsV2CommandOutput, S3 } from '@aws-sdk/client-s3'
import { NextToLast } from 'blockstore-fs/sharding'
import { S3Blockstore } from 'blockstore-s3'
import type { CID } from 'multiformats/cid'
import { NodeError } from '../../errors.ts'
import { concat } from '../../util/bytes.ts'
import { orAborted, untilAborted } from './abort.ts'
import { keyOfName } from './disk-shelf.ts'
import { BLOCK_BYTES_MAX } from './limits.ts'
import type { PinFile } from './pins.ts'
import { copyOver, type Shelf, type Shelved } from './shelf.ts'

/** `prefix` is empty or ends with a slash. */
export type S3Place = { readonly bucket: string; readonly prefix: string }

export type Bucket = {
  shelf(name: string): Shelf
  readonly pinFile: PinFile
  close(): void
}

/** For all tries of one request together, which moves one block. */
const REQUEST_MS = 120_000
const CONNECT_MS = 10_000

/** Who asks, where and with which key comes from the environment and the files that all of Amazon's tools read. */
export function openBucket({ bucket, prefix }: S3Place): Bucket {
  const client = new S3({
    // Endpoints that are not Amazon's seldom have a host name for each bucket.
    forcePathStyle: true,
    // Blocks are checked by their own hash; not every server knows the sums that were added to S3 later.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: CONNECT_MS },
  })
  const ask = <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    work(AbortSignal.timeout(REQUEST_MS)).catch((cause: unknown) => {
      throw unavailable({ bucket, prefix }, cause)
    })
  return {
    shelf: (name) => openShelf(client, { bucket, prefix: `${prefix}${name}/` }, ask),
    pinFile: openPinFile(client, { Bucket: bucket, Key: `${prefix}pins.json` }, ask),
    close: () => client.destroy(),
  }
}

type Ask = <T>(work: (signal: AbortSignal) => Promise<T>) => Promise<T>

function openShelf(client: S3, { bucket, prefix }: S3Place, ask: Ask): Shelf {
  const sharding = new NextToLast()
  const encode = (cid: CID): string => {
    const { dir, file } = sharding.encode(cid)
    return `${prefix}${dir}/${file}`
  }
  // It only encodes: the names of what is there are read by `listBlocks`.
  const shardingStrategy = { extension: sharding.extension, encode, decode: sharding.decode }
  const blockstore = new S3Blockstore(client, bucket, { shardingStrategy })
  const bytesOf = (cid: CID, signal: AbortSignal) => blockstore.get(cid, { signal }) as AsyncGenerator<Uint8Array>
  const shelf: Shelf = {
    read: (cid) => ask((signal) => orAbsent(gatherBlock(untilAborted(bytesOf(cid, signal), signal)))),
    // What was answered is as safe there as it will ever be, so nothing is left for `sync`.
    write: (cid, bytes) => ask(async (signal) => void (await blockstore.put(cid, bytes, { signal }))),
    remove: (cid) => ask((signal) => blockstore.delete(cid, { signal })),
    take: (cid, from) => copyOver(cid, from, shelf),
    list: () => listBlocks(client, { bucket, prefix }, { extension: sharding.extension, ask }),
    sync: async () => {},
  }
  return shelf
}

/** A thousand with every request, so that a terabyte is known after a thousand of them. */
async function* listBlocks(
  client: S3,
  { bucket, prefix }: S3Place,
  { extension, ask }: { readonly extension: string; readonly ask: Ask },
): AsyncGenerator<Shelved> {
  let token: string | undefined
  do {
    const query = { Bucket: bucket, Prefix: prefix, ...(token === undefined ? {} : { ContinuationToken: token }) }
    const page: ListObjectsV2CommandOutput = await ask((abortSignal) => client.listObjectsV2(query, { abortSignal }))
    for (const { Key = '', Size: bytes = 0 } of page.Contents ?? []) {
      const key = keyOfName(Key.slice(Key.lastIndexOf('/') + 1), extension)
      if (key !== null) yield { key, bytes }
    }
    token = page.NextContinuationToken
  } while (token !== undefined)
}

function openPinFile(client: S3, place: { readonly Bucket: string; readonly Key: string }, ask: Ask): PinFile {
  return {
    read: () =>
      ask(async (abortSignal) => {
        const found = await orAbsent(client.getObject(place, { abortSignal }))
        return found === null ? null : orAborted(found.Body?.transformToString() ?? Promise.resolve(''), abortSignal)
      }),
    write: (text) =>
      ask(async (abortSignal) => void (await client.putObject({ ...place, Body: text }, { abortSignal }))),
  }
}

async function gatherBlock(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array | 'unreadable'> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const piece of pieces) {
    bytes += piece.length
    if (bytes > BLOCK_BYTES_MAX) return 'unreadable'
    parts.push(piece)
  }
  return concat(...parts)
}

/**
 * Only what the server itself says is not there counts as absent: whatever else fails is no reason to think that a block is
 * gone, and to forget it. The library keeps of an error only its text.
 */
async function orAbsent<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work
  } catch (error) {
    const isAbsent = error instanceof Error && /\bNoSuchKey\b/.test(`${error.name} ${error.message}`)
    if (isAbsent) return null
    throw error
  }
}

function unavailable({ bucket, prefix }: S3Place, cause: unknown): NodeError {
  const place = `s3://${bucket}/${prefix}`
  return new NodeError('STORE_UNAVAILABLE', {
    what: `${place} cannot be used`,
    why: cause instanceof Error ? cause.message || cause.name : String(cause),
    remedy:
      'Check the name of the bucket, and AWS_REGION, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or what stands for them in ~/.aws.',
    data: { path: place },
    cause,
  })
}
