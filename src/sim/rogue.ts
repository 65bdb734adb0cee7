/**
 * Rogues: honest ports with one lie each. The machines around them are the honest ones, so whatever stops a rogue stops it
 * by the protocol's rules. Write one of your own by wrapping a port.
 */
import { partTensors, storeTensor } from '../library/tensor.ts'
import type { Blobs, Cancel, Chain, Evaluator, Network, Trainer } from '../ports.ts'
import type { TensorEntry } from '../protocol/manifest.ts'
import { HUB } from '../protocol/track.ts'
import type { SeededRandom } from './random.ts'
import { bytesOfFloats, floatsOfBytes } from './toy.ts'

const TENSOR_BYTES = 1024 * 1024
/** A twentieth of what honest training changes: enough to be another submission. */
const SYBIL_SCALE = 0.05

/** `noise` is how far a random change goes, in the size of an honest one. */
type Lie = { readonly blobs: Blobs; readonly random: SeededRandom; readonly noise: number }

/** Sends noise as large as an honest change. */
export const noiseTrainer = (lie: Lie): Trainer => ({
  train: async ({ model, group, cycle }, opts) => {
    const base = await partTensors(lie.blobs, model, group, opts)
    return disturbed(lie, [...base.values()], `noise/${cycle}`, 1, opts)
  },
})

/** The same tensors with noise on every number. */
async function disturbed(
  { blobs, random, noise }: Lie,
  tensors: readonly TensorEntry[],
  seed: string,
  scale: number,
  opts: Cancel,
): Promise<readonly TensorEntry[]> {
  const luck = random.fork(seed)
  const made: TensorEntry[] = []
  for (const tensor of tensors) {
    const weights = floatsOfBytes(await blobs.get(tensor.cid, { bytesMax: TENSOR_BYTES, from: [], ...opts }))
    const bytes = bytesOfFloats(weights.map((w) => w + scale * noise * (2 * luck.next() - 1)))
    made.push(await storeTensor(blobs, tensor, bytes, { withheld: true, ...opts }))
  }
  return made
}

/** Trains honestly and improves the frozen hub as well. */
export const hubTrainer = ({ blobs }: Pick<Lie, 'blobs'>, honest: Trainer): Trainer => ({
  train: async (task, { signal }) => {
    const [hub] = (await partTensors(blobs, task.model, HUB, { signal })).values()
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
export const copycatTrainer = ({ blobs }: Pick<Lie, 'blobs'>, copied: Copied): Trainer => {
  let seen: readonly TensorEntry[] = []
  return {
    train: async ({ model, group }, { signal }) => {
      const stale = seen
      seen = copied.tensors
      return stale.length > 0 ? stale : [...(await partTensors(blobs, model, group, { signal })).values()]
    },
  }
}

/** One operator with several keys: the work of one, with a little noise on every copy. */
export const sybilTrainer = (lie: Lie, shared: Trainer): Trainer => ({
  train: async (task, opts) => disturbed(lie, await shared.train(task, opts), `sybil/${task.cycle}`, SYBIL_SCALE, opts),
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
