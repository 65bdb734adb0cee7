/** What every Evaluator must do. The model of the harness is small: a tensor of it fits into one block. */
import { describe, expect, test } from 'vitest'
import type { Blobs, Evaluator, ModelRef, Overlay, PeerAddress, Samples } from '../../src/ports.ts'
import { rawCidOf } from '../../src/protocol/codec.ts'
import { LOSS_NANO_MAX } from '../../src/protocol/limits.ts'
import type { TensorEntry } from '../../src/protocol/manifest.ts'
import { mergeTensor } from '../../src/protocol/merge-tensor.ts'
import type { Reason } from '../../src/protocol/reason.ts'
import { tensorDigest } from '../../src/protocol/tensor.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { expectCancelled, expectCode, fresh, type Harness, never } from './harness.ts'

export type EvaluatorHarness = Harness & {
  readonly evaluator: Evaluator
  /** Another peer, whose submissions are judged, and where it is reached. */
  readonly miner: { readonly blobs: Blobs; readonly address: PeerAddress }
  readonly model: ModelRef
  /** An F32 tensor of the model that is not zero and on which its losses depend, and its bytes. */
  readonly tensor: { readonly entry: TensorEntry; readonly bytes: Uint8Array }
  /** At least eight sequences. */
  readonly samples: Samples
}

type On = (body: (harness: EvaluatorHarness) => Promise<void>) => () => Promise<void>
type Member = { readonly tensors: readonly TensorEntry[]; readonly weight: number }

const ETA_PPM = 700_000
const NORM_RATIO_MILLI = 500

export function describeEvaluatorContract(name: string, createHarness: () => Promise<EvaluatorHarness>): void {
  const on = fresh(createHarness)
  describe(`the evaluator contract: ${name}`, () => {
    describeLosses(on)
    describeCheckpoints(on)
    describeInspecting(on)
    describeMerging(on)
  })
}

/** The tensor with every value changed, as bytes. */
const changed = ({ tensor }: EvaluatorHarness, change: (value: number, place: number) => number): Uint8Array =>
  new Uint8Array(Float32Array.from(new Float32Array(tensor.bytes.slice().buffer), change).buffer)

/** Puts a tensor at the miner, described as it is, or otherwise. */
async function offer(
  { miner, tensor: { entry } }: EvaluatorHarness,
  bytes: Uint8Array,
  change: Partial<TensorEntry> = {},
): Promise<TensorEntry> {
  const cid = await miner.blobs.put(bytes, { codec: 'raw', withheld: false, signal: never })
  const sha256 = bytes.length === entry.bytes ? toHex(tensorDigest(entry.dtype, entry.shape, bytes)) : entry.sha256
  return { ...entry, cid, sha256, ...change }
}

const lossesOf = (
  { evaluator, model, samples }: EvaluatorHarness,
  overlay: Overlay = { kind: 'none' },
  sequences: Samples = samples,
): Promise<readonly number[]> =>
  evaluator.losses({ model, overlay, samples: sequences, checkpoints: [], goOn: () => true }, { signal: never })

/** A tensor whose bytes are here too, as they are after an inspection. */
async function offerInspected(harness: EvaluatorHarness, bytes: Uint8Array): Promise<TensorEntry> {
  const entry = await offer(harness, bytes)
  await inspect(harness, entry, 1_000_000)
  return entry
}

const inspect = (
  { evaluator, model, miner }: EvaluatorHarness,
  entry: TensorEntry,
  normRatioMilli = NORM_RATIO_MILLI,
): Promise<Reason | null> =>
  evaluator.inspect({ model, tensors: [entry], from: [miner.address], normRatioMilli }, { signal: never })

function describeLosses(on: On): void {
  test(
    'one loss per sequence, integers in their range, the same twice',
    on(async (harness) => {
      const losses = await lossesOf(harness)
      expect(losses).toHaveLength(harness.samples.sequences.length)
      for (const loss of losses) {
        expect(Number.isSafeInteger(loss)).toBe(true)
        expect(loss).toBeGreaterThanOrEqual(0)
        expect(loss).toBeLessThanOrEqual(LOSS_NANO_MAX)
      }
      expect(new Set(losses).size).toBeGreaterThan(1)
      expect(await lossesOf(harness)).toEqual(losses)
    }),
  )
  test(
    'losses stand in the order of the sequences',
    on(async (harness) => {
      const { name, sequences } = harness.samples
      const losses = await lossesOf(harness)
      const reversed = await lossesOf(
        harness,
        { kind: 'none' },
        { name: `${name}/r`, sequences: sequences.toReversed() },
      )
      const [there, back] = [losses.map((loss) => loss / 1e9), reversed.toReversed().map((loss) => loss / 1e9)]
      for (const [i, loss] of there.entries()) expect(back[i]).toBeCloseTo(loss, 3)
    }),
  )
  test(
    'values over the base change the losses, and leave the base as it was',
    on(async (harness) => {
      const before = await lossesOf(harness)
      const tensors = [
        await offerInspected(
          harness,
          changed(harness, (value) => 0.8 * value),
        ),
      ]
      const over = await lossesOf(harness, { kind: 'values', tensors })
      expect(over).not.toEqual(before)
      expect(await lossesOf(harness, { kind: 'values', tensors })).toEqual(over)
      expect(await lossesOf(harness)).toEqual(before)
      expect(await lossesOf(harness, { kind: 'values', tensors: [harness.tensor.entry] })).toEqual(before)
    }),
  )
  test(
    'several tasks at once do not disturb one another',
    on(async (harness) => {
      const tensors = [
        await offerInspected(
          harness,
          changed(harness, (value) => 0.8 * value),
        ),
      ]
      const alone = [await lossesOf(harness), await lossesOf(harness, { kind: 'values', tensors })]
      expect(await Promise.all([lossesOf(harness), lossesOf(harness, { kind: 'values', tensors })])).toEqual(alone)
    }),
  )
  test(
    'the losses of a merge are those of the tensors that the merge makes',
    on(async (harness) => {
      const members = await twoMembers(harness)
      const merged = await merge(harness, members)
      const tried = await lossesOf(harness, { kind: 'merge', etaPpm: ETA_PPM, members })
      expect(tried).toEqual(await lossesOf(harness, { kind: 'values', tensors: merged }))
    }),
  )
  test(
    'a loss beyond all measure is clamped, so that it can be written down',
    on(async (harness) => {
      const tensors = [
        await offerInspected(
          harness,
          changed(harness, (_, i) => (i % 2 === 0 ? 3e38 : -3e38)),
        ),
      ]
      for (const loss of await lossesOf(harness, { kind: 'values', tensors })) {
        expect(Number.isSafeInteger(loss)).toBe(true)
        expect(loss).toBeGreaterThanOrEqual(0)
        expect(loss).toBeLessThanOrEqual(LOSS_NANO_MAX)
      }
    }),
  )
  test(
    'what nobody serves is unavailable',
    on(async (harness) => {
      const entry = { ...harness.tensor.entry, cid: rawCidOf(utf8('nobody ever stored this')) }
      await expectCode(lossesOf(harness, { kind: 'values', tensors: [entry] }), 'BLOB_UNAVAILABLE')
      await expectCode(lossesOf({ ...harness, model: { manifest: entry.cid, from: [] } }), 'BLOB_UNAVAILABLE')
    }),
  )
  test(
    'what was cancelled ends with an error',
    on(async ({ evaluator, model, samples }) => {
      const task = { model, overlay: { kind: 'none' }, samples, checkpoints: [], goOn: () => true } as const
      await expectCancelled((signal) => evaluator.losses(task, { signal }))
    }),
  )
}

function describeCheckpoints(on: On): void {
  test(
    'at each checkpoint the losses so far are heard',
    on(async ({ evaluator, model, samples }) => {
      const heard: number[][] = []
      const goOn = (losses: readonly number[]): boolean => {
        heard.push([...losses])
        return true
      }
      const task = { model, overlay: { kind: 'none' }, samples, checkpoints: [2, 5], goOn } as const
      const losses = await evaluator.losses(task, { signal: never })
      expect(losses).toHaveLength(samples.sequences.length)
      expect(heard).toEqual([losses.slice(0, 2), losses.slice(0, 5)])
    }),
  )
  test.each([2, 5])('a no at %i returns these losses and no more', async (stop) => {
    await on(async (harness) => {
      const { evaluator, model, samples } = harness
      const goOn = (losses: readonly number[]): boolean => losses.length < stop
      const task = { model, overlay: { kind: 'none' }, samples, checkpoints: [2, 5], goOn } as const
      const all = await lossesOf(harness)
      expect(await evaluator.losses(task, { signal: never })).toEqual(all.slice(0, stop))
    })()
  })
  test(
    'cancelled at a checkpoint, it ends with an error',
    on(async ({ evaluator, model, samples }) => {
      const stop = new AbortController()
      const goOn = (): boolean => {
        stop.abort()
        return true
      }
      const task = { model, overlay: { kind: 'none' }, samples, checkpoints: [2], goOn } as const
      await expect(evaluator.losses(task, { signal: stop.signal })).rejects.toThrow()
    }),
  )
}

function describeInspecting(on: On): void {
  const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte))
  const cases: [title: string, make: (harness: EvaluatorHarness) => Promise<TensorEntry>, reason: Reason | null][] = [
    [
      'a sound change',
      (h) =>
        offer(
          h,
          changed(h, (v) => 0.9 * v),
        ),
      null,
    ],
    ['the base itself', (h) => offer(h, h.tensor.bytes), null],
    [
      'a change of just less than half of the norm',
      (h) =>
        offer(
          h,
          changed(h, (v) => 1.499 * v),
        ),
      null,
    ],
    [
      'a change of more than half of the norm',
      (h) =>
        offer(
          h,
          changed(h, (v) => 1.501 * v),
        ),
      'NORM_TOO_LARGE',
    ],
    [
      'NaN',
      (h) =>
        offer(
          h,
          changed(h, (v, i) => (i === 1 ? NaN : v)),
        ),
      'TENSOR_NOT_FINITE',
    ],
    [
      'infinity',
      (h) =>
        offer(
          h,
          changed(h, (v, i) => (i === 1 ? -Infinity : v)),
        ),
      'TENSOR_NOT_FINITE',
    ],
    ['another digest', (h) => offer(h, h.tensor.bytes, { sha256: 'ab'.repeat(32) }), 'TENSOR_DIGEST'],
    ['other bytes', (h) => offer(h, flip(h.tensor.bytes), { sha256: h.tensor.entry.sha256 }), 'TENSOR_DIGEST'],
    ['too few bytes', (h) => offer(h, h.tensor.bytes.slice(4)), 'TENSOR_DIGEST'],
    ['half an element', (h) => offer(h, h.tensor.bytes.slice(2)), 'TENSOR_DIGEST'],
    ['no bytes', (h) => offer(h, new Uint8Array(0)), 'TENSOR_DIGEST'],
    ['too many bytes', (h) => offer(h, new Uint8Array(h.tensor.bytes.length + 4)), 'TENSOR_DIGEST'],
  ]
  test.each(cases)('an inspection of %s: %#', async (_, make, reason) => {
    await on(async (harness) => {
      expect(await inspect(harness, await make(harness))).toBe(reason)
    })()
  })
  test(
    'one flawed tensor is enough, whatever stands beside it',
    on(async (harness) => {
      const sound = await offer(
        harness,
        changed(harness, (v) => 0.9 * v),
      )
      const flawed = { ...sound, sha256: 'ab'.repeat(32) }
      const { evaluator, model, miner } = harness
      const task = { model, tensors: [sound, flawed], from: [miner.address], normRatioMilli: NORM_RATIO_MILLI }
      expect(await evaluator.inspect(task, { signal: never })).toBe('TENSOR_DIGEST')
    }),
  )
  test(
    'a tensor that is withheld is unavailable',
    on(async (harness) => {
      const bytes = changed(harness, (v) => 0.9 * v)
      await harness.miner.blobs.put(bytes, { codec: 'raw', withheld: true, signal: never })
      const { entry } = harness.tensor
      const sha256 = toHex(tensorDigest(entry.dtype, entry.shape, bytes))
      await expectCode(inspect(harness, { ...entry, sha256, cid: rawCidOf(bytes) }), 'BLOB_UNAVAILABLE')
    }),
  )
  test(
    'what was cancelled ends with an error',
    on(async (harness) => {
      const { evaluator, model, miner } = harness
      const tensors = [
        await offer(
          harness,
          changed(harness, (v) => 0.9 * v),
        ),
      ]
      const task = { model, tensors, from: [miner.address], normRatioMilli: NORM_RATIO_MILLI }
      await expectCancelled((signal) => evaluator.inspect(task, { signal }))
    }),
  )
}

async function twoMembers(harness: EvaluatorHarness): Promise<readonly [Member, Member]> {
  const first = await offerInspected(
    harness,
    changed(harness, (value) => 0.8 * value),
  )
  const second = await offerInspected(
    harness,
    changed(harness, (value, i) => value + (i % 3) * 0.01),
  )
  return [
    { tensors: [first], weight: 7_000_000 },
    { tensors: [second], weight: 2_000_000 },
  ]
}

const merge = (
  { evaluator, model }: EvaluatorHarness,
  members: readonly Member[],
  etaPpm = ETA_PPM,
): Promise<readonly TensorEntry[]> => evaluator.merge({ model, etaPpm, members }, { signal: never })

function describeMerging(on: On): void {
  const read = ({ miner }: EvaluatorHarness, { cid, bytes }: TensorEntry): Promise<Uint8Array> =>
    miner.blobs.get(cid, { bytesMax: bytes, from: [], signal: never })
  test(
    'a merge is what the protocol computes, the same bytes twice, stored and served',
    on(async (harness) => {
      const { entry, bytes: base } = harness.tensor
      const members = await twoMembers(harness)
      const merged = await merge(harness, members)
      const updates: { values: Uint8Array; weight: number }[] = []
      for (const { tensors, weight } of members) {
        updates.push({ values: await read(harness, tensors[0] as TensorEntry), weight })
      }
      const expected = mergeTensor({ dtype: 'F32', base, updates, etaPpm: ETA_PPM })
      const sha256 = toHex(tensorDigest(entry.dtype, entry.shape, expected))
      expect(merged).toEqual([{ ...entry, cid: rawCidOf(expected), sha256 }])
      expect(await merge(harness, members)).toEqual(merged)
      expect(await read(harness, merged[0] as TensorEntry)).toEqual(expected)
    }),
  )
  test(
    'a member without the tensor counts as one that left it as it was',
    on(async (harness) => {
      const [first, second] = await twoMembers(harness)
      const without = await merge(harness, [first, { ...second, tensors: [] }])
      const unchanged = await merge(harness, [first, { ...second, tensors: [harness.tensor.entry] }])
      expect(without).toEqual(unchanged)
      expect(without).not.toEqual(await merge(harness, [first]))
    }),
  )
  test(
    'a merge that goes beyond all numbers leaves the tensor as it was',
    on(async (harness) => {
      const huge = await offerInspected(
        harness,
        changed(harness, () => 3e38),
      )
      const [merged] = await merge(harness, [{ tensors: [huge], weight: 1 }], 10_000_000)
      expect(merged?.sha256 ?? harness.tensor.entry.sha256).toBe(harness.tensor.entry.sha256)
    }),
  )
  test(
    'what was cancelled ends with an error',
    on(async (harness) => {
      const { evaluator, model } = harness
      const members = await twoMembers(harness)
      await expectCancelled((signal) => evaluator.merge({ model, etaPpm: ETA_PPM, members }, { signal }))
    }),
  )
}
