import { expect, test } from 'vitest'
import { fetchModel, fetchPart, fetchRoot, fetchSubmission, storeModel, storePart } from '../../src/library/document.ts'
import type { Blobs } from '../../src/ports.ts'
import { MANIFEST_BYTES_MAX, TENSORS_MAX } from '../../src/protocol/limits.ts'
import { encodeModel, encodePage, encodeSubmission, type TensorEntry } from '../../src/protocol/manifest.ts'
import { encodeRoot } from '../../src/protocol/root.ts'
import { createSimBlobs } from '../../src/sim/blobs.ts'
import { expectCode, never } from '../contracts/harness.ts'
import { base, cidOfText, minerKey, model, pageOf, submissionOf, tensorNamed } from '../protocol/world.ts'

const opts = { from: [], signal: never }
const put = (blobs: Blobs, bytes: Uint8Array): Promise<string> =>
  blobs.put(bytes, { codec: 'dag-cbor', withheld: false, signal: never })

const submission = submissionOf(minerKey(0))
const kinds = [
  ['root', fetchRoot, encodeRoot(base), base],
  ['model', fetchModel, encodeModel(model), model],
  ['submission', fetchSubmission, encodeSubmission(submission), submission],
] as const

test.each(kinds)('a %s is fetched by its CID', async (_, fetch, bytes, document) => {
  const blobs = createSimBlobs().join('peer')
  expect(await fetch(blobs, await put(blobs, bytes), opts)).toEqual(document)
})

test.each(kinds)('what is no well-formed %s is null', async (_, fetch, bytes) => {
  const blobs = createSimBlobs().join('peer')
  for (const bad of [bytes.slice(1), new Uint8Array(0), encodePage(pageOf('code'))]) {
    expect(await fetch(blobs, await put(blobs, bad), opts)).toBe(null)
  }
})

test.each(kinds)('a %s that nobody serves, or that is too large, is a failure of the world', async (_, fetch) => {
  const blobs = createSimBlobs().join('peer')
  await expectCode(fetch(blobs, cidOfText('missing'), opts), 'BLOB_UNAVAILABLE')
  const large = await put(blobs, new Uint8Array(MANIFEST_BYTES_MAX + 1))
  await expectCode(fetch(blobs, large, opts), 'BLOB_TOO_LARGE')
})

const tensors = (count: number, value = 1): readonly TensorEntry[] =>
  Array.from({ length: count }, (_, i) => tensorNamed(`code.${String(i).padStart(5, '0')}`, value))

const asPart = (entries: readonly TensorEntry[]): ReadonlyMap<string, TensorEntry> =>
  new Map(entries.map((entry) => [entry.name, entry]))

test('a part has the tensors of all its pages, and another part none of them', async () => {
  const blobs = createSimBlobs().join('peer')
  const pages = [await put(blobs, encodePage(pageOf('code'))), await put(blobs, encodePage(pageOf('law')))]
  const whole = { ...model, parts: [{ name: 'code', pages }] }
  const part = await fetchPart(blobs, whole, 'code', opts)
  expect([...(part?.keys() ?? [])]).toEqual(['code.0.weight', 'code.1.weight', 'law.0.weight', 'law.1.weight'])
  expect(await fetchPart(blobs, whole, 'law', opts)).toEqual(new Map())
})

test('a part with a malformed page is null', async () => {
  const blobs = createSimBlobs().join('peer')
  const pages = [await put(blobs, encodePage(pageOf('code'))), await put(blobs, encodeRoot(base))]
  expect(await fetchPart(blobs, { ...model, parts: [{ name: 'code', pages }] }, 'code', opts)).toBe(null)
})

test('a part is stored with some tensors replaced, and shares the pages that did not change', async () => {
  const blobs = createSimBlobs().join('peer')
  const part = asPart(tensors(TENSORS_MAX + 3))
  const before = await storePart(blobs, part, [], { signal: never })
  const changed = tensorNamed('code.00001', 9)
  const after = await storePart(blobs, part, [changed], { signal: never })
  expect([before.length, after.length]).toEqual([2, 2])
  expect([after[0] === before[0], after[1] === before[1]]).toEqual([false, true])
  const manifest = { ...model, parts: [{ name: 'code', pages: after }] }
  const stored = await fetchPart(blobs, manifest, 'code', opts)
  expect(stored).toEqual(asPart([...part.values()].map((entry) => (entry.name === changed.name ? changed : entry))))
})

test('a stored model is served', async () => {
  const store = createSimBlobs()
  const cid = await storeModel(store.join('one'), model, { signal: never })
  expect(await fetchModel(store.join('other'), cid, opts)).toEqual(model)
})
