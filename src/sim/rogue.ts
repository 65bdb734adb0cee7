/**
 * Rogues: honest ports with one lie each. The machines around them are the honest ones, so whatever stops a rogue stops it
 * by the protocol's rules. Write one of your own by wrapping a port.
 */
import { modelTensors, storeTensor } from '../library/tensor.ts'
import type { Blobs, Chain, Evaluator, Network, Trainer } from '../ports.ts'
import type { TensorEntry } from '../protocol/manifest.ts'
import { groupTensor } from './engine.ts'
import type { SeededRandom } from './random.ts'
import { bytesOfFloats, floatsOfBytes, TOY_HUB } from './toy.ts'

const TENSOR_BYTES = 1024 * 1024

type Lie = { readonly blobs: Blobs; readonly random: SeededRandom }

/** Sends noise as large as an honest change. */
export const noiseTrainer = ({ blobs, random }: Lie): Trainer => ({
  train: async ({ model, group, cycle }, { signal }) => {
    const entry = await groupTensor(blobs, model, group, { signal })
    const weights = floatsOfBytes(await blobs.get(entry.cid, { bytesMax: TENSOR_BYTES, from: [], signal }))
    const luck = random.fork(`noise/${cycle}`)
    const bytes = bytesOfFloats(weights.map((w) => w + 0.2 * (2 * luck.next() - 1)))
    return [await storeTensor(blobs, entry, bytes, { withheld: true, signal })]
  },
})

/** Trains honestly and improves the frozen hub as well. */
export const hubTrainer = ({ blobs }: Lie, honest: Trainer): Trainer => ({
  train: async (task, { signal }) => {
    const hub = (await modelTensors(blobs, task.model, { signal })).get(TOY_HUB)
    return [...(await honest.train(task, { signal })), ...(hub === undefined ? [] : [hub])]
  },
})

/** What some honest miner has trained, as everybody can fetch it once it is revealed. */
export type Copied = { tensors: readonly TensorEntry[] }

export const watchedTrainer = (honest: Trainer, copied: Copied): Trainer => ({
  train: async (task, opts) => {
    const tensors = await honest.train(task, opts)
    copied.tensors = tensors
    return tensors
  },
})

/** Submits what a victim revealed in the cycle before; at first, what is there already. */
export const copycatTrainer = ({ blobs }: Lie, copied: Copied): Trainer => {
  let seen: readonly TensorEntry[] = []
  return {
    train: async ({ model, group }, { signal }) => {
      const stale = seen
      seen = copied.tensors
      return stale.length > 0 ? stale : [await groupTensor(blobs, model, group, { signal })]
    },
  }
}

/** One operator with several keys: the work of one, with a little noise on every copy. */
export const sybilTrainer = ({ blobs, random }: Lie, shared: Trainer): Trainer => ({
  train: async (task, { signal }) => {
    const luck = random.fork(`sybil/${task.cycle}`)
    const copies: TensorEntry[] = []
    for (const tensor of await shared.train(task, { signal })) {
      const weights = floatsOfBytes(await blobs.get(tensor.cid, { bytesMax: TENSOR_BYTES, from: [], signal }))
      const bytes = bytesOfFloats(weights.map((w) => w + 0.01 * (2 * luck.next() - 1)))
      copies.push(await storeTensor(blobs, tensor, bytes, { withheld: true, signal }))
    }
    return copies
  },
})

/** Reveals when the evaluation is long under way. */
export const lateNetwork = (network: Network, chain: Pick<Chain, 'watch'>, lateBlocks: number): Network => ({
  ...network,
  publish: async (kind, bytes, opts) => {
    if (kind !== 'reveal') return network.publish(kind, bytes, opts)
    let due = Number.POSITIVE_INFINITY
    const unwatch = chain.watch((event) => {
      if (event.type !== 'block.best') return
      due = Math.min(due, event.block.number + lateBlocks)
      if (event.block.number < due) return
      unwatch()
      void network.publish(kind, bytes, { signal: new AbortController().signal })
    })
  },
})

/** Reports that everybody gained a nat. */
export const liarEvaluator = (honest: Evaluator): Evaluator => ({
  ...honest,
  inspect: async () => null,
  losses: async (task, opts) => {
    const { overlay } = task
    const members = overlay.kind === 'merge' ? overlay.members.length : 1
    const losses = await honest.losses({ ...task, overlay: { kind: 'none' }, checkpoints: [] }, opts)
    return overlay.kind === 'none' ? losses : losses.map((loss) => Math.max(0, loss - members * 1_000_000_000))
  },
})
