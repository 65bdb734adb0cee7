/** The words for a store that is not in a directory: `s3://BUCKET/PREFIX`. */
import { NodeError } from '../errors.ts'
import type { S3Place } from '../p2p/store/index.ts'
import { printable } from './io.ts'

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

/** Throws USAGE. */
export function bucketOf(text: string): S3Place {
  const [, bucket = '', path = ''] = /^s3:\/\/([^/]*)\/?(.*)$/.exec(text) ?? []
  const prefix = path === '' || path.endsWith('/') ? path : `${path}/`
  // Names of objects have 1,024 bytes at most, and ours take a hundred behind the prefix.
  if (BUCKET.test(bucket) && /^[\w.~/-]{0,900}$/.test(prefix)) return { bucket, prefix }
  throw new NodeError('USAGE', {
    what: `--store cannot be '${printable(text.slice(0, 100))}'`,
    why: 'it takes s3://BUCKET or s3://BUCKET/PREFIX, of letters, digits, dots, dashes and underscores',
  })
}
