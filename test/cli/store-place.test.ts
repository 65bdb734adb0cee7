import { expect, test } from 'vitest'
import { bucketOf } from '../../src/cli/store-place.ts'

test.each([
  ['s3://checkpoints', { bucket: 'checkpoints', prefix: '' }],
  ['s3://checkpoints/', { bucket: 'checkpoints', prefix: '' }],
  ['s3://my.bucket-1/one', { bucket: 'my.bucket-1', prefix: 'one/' }],
  ['s3://my.bucket-1/one/of_them/', { bucket: 'my.bucket-1', prefix: 'one/of_them/' }],
])('%s', (text, place) => expect(bucketOf(text)).toEqual(place))

test.each(['', 'checkpoints', 'gs://checkpoints', 's3://', 's3:///x', 's3://Upper', 's3://ok-bucket/a b', 's3://x'])(
  "'%s' is no place for a store",
  (text) => expect(() => bucketOf(text)).toThrow(/USAGE: --store cannot be/),
)
