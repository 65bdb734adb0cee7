/** What every Trainer must do. */
import { describe, expect, test } from 'vitest'
import type { Blobs, ModelRef, Trainer } from '../../src/ports.ts'
import type { TensorEntry } from '../../src/protocol/manifest.ts'
import { allFinite } from '../../src/protocol/merge-tensor.ts'
import { tensorDigest } from '../../src/protocol/tensor.ts'
import { toHex } from '../../src/util/bytes.ts'
import { expectCancelled, expectCode, fresh, type Harness, never } from './harness.ts'

export type TrainerHarness = Harness & {
  readonly trainer: Trainer
  /** Where the trainer stores. */
  readonly blobs: Blobs
  /** Another peer's store. */
  readonly stranger: Blobs
  readonly model: ModelRef
  readonly group: string
  readonly domain: string
  /** The tensors of the group in the model. */
  readonly tensors: readonly TensorEntry[]
  /** A CID that nobody serves. */
  readonly missing: string
}

export function describeTrainerContract(name: string, createHarness: () => Promise<TrainerHarness>): void {
  const on = fresh(createHarness)
  const train = ({ trainer, model, group, domain }: TrainerHarness, enough = never, signal = never) =>
    trainer.train({ model, group, domain, cycle: 3, enough }, { signal })
  const expectSound = async ({ blobs, tensors }: TrainerHarness, trained: readonly TensorEntry[]): Promise<void> => {
    expect(trained.length).toBeGreaterThan(0)
    expect(new Set(trained.map((entry) => entry.name)).size).toBe(trained.length)
    for (const entry of trained) {
      const base = tensors.find((tensor) => tensor.name === entry.name)
      expect(base, `${entry.name} is of the group`).toBeDefined()
      expect([entry.dtype, entry.shape, entry.bytes]).toEqual([base?.dtype, base?.shape, base?.bytes])
      const bytes = await blobs.get(entry.cid, { bytesMax: entry.bytes, from: [], signal: never })
      expect(bytes).toHaveLength(entry.bytes)
      expect(toHex(tensorDigest(entry.dtype, entry.shape, bytes))).toBe(entry.sha256)
      expect(allFinite(entry.dtype, bytes)).toBe(true)
    }
  }
  describe(`the trainer contract: ${name}`, () => {
    test(
      'trains tensors of the group and nothing else, and stores them as they are described',
      on(async (harness) => {
        const trained = await train(harness)
        await expectSound(harness, trained)
        const digests = new Set(harness.tensors.map((tensor) => tensor.sha256))
        expect(trained.some((entry) => !digests.has(entry.sha256))).toBe(true)
      }),
    )
    test(
      'what was trained is withheld from peers until it is released',
      on(async (harness) => {
        for (const { cid, bytes: bytesMax } of await train(harness)) {
          const fetch = () => harness.stranger.get(cid, { bytesMax, from: [], signal: never })
          await expectCode(fetch(), 'BLOB_UNAVAILABLE')
          await harness.blobs.release(cid)
          expect(await fetch()).toHaveLength(bytesMax)
        }
      }),
    )
    test(
      'when it is enough, what was learned so far is returned',
      on(async (harness) => {
        const enough = new AbortController()
        const training = train(harness, enough.signal)
        enough.abort()
        await expectSound(harness, await training)
        await expectSound(harness, await train(harness, AbortSignal.abort()))
      }),
    )
    test(
      'when nobody wants it any more, it ends with an error',
      on(async (harness) => {
        await expectCancelled((signal) => train(harness, never, signal))
      }),
    )
    test(
      'it can be called again after a crash',
      on(async (harness) => {
        const crash = new AbortController()
        const lost = train(harness, never, crash.signal)
        crash.abort()
        await expect(lost).rejects.toThrow()
        await expectSound(harness, await train(harness))
        await expectSound(harness, await train(harness))
      }),
    )
    test(
      'a model that nobody serves is unavailable',
      on(async (harness) => {
        await expectCode(train({ ...harness, model: { manifest: harness.missing, from: [] } }), 'BLOB_UNAVAILABLE')
      }),
    )
  })
}
