/**
 * A toy model with the structure of the real one: a frozen hub, routing rows, and one tensor of experts per group.
 *
 * The loss of a sequence is how far each group's weights are from what the sequence wants: its domain's target plus the
 * sequence's own taste. So training lowers it, fresh sequences differ, and a group's domain depends on its experts most and
 * on the others' a little. Only sums and products: the same bits everywhere.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { LOSS_NANO_MAX } from '../protocol/limits.ts'
import { tokensOf } from '../protocol/shard.ts'
import { concat, u64, utf8 } from '../util/bytes.ts'

/** Enough for a mean over sequences to have an error, few enough for 300 evaluations a second in one process. */
export const TOY_WIDTH = 24
export const TOY_TOKENS = TOY_WIDTH + 1
export const TOY_VOCABULARY = 256

/** A loss that no training removes, in nats. */
const FLOOR = 1.8
/** How much of another group's distance a domain feels. */
const COUPLING = 0.02
/** How far a sequence's taste strays from its domain's target. */
const TASTE = 0.25

/** `domain` is the place of the group's domain: a sequence says with its first token to which one it belongs. */
export type ToyGroup = { readonly name: string; readonly domain: number }
export const toyTensor = (group: string): string => `model.experts.${group}.weight`
export const TOY_HUB = 'model.hub.weight'
export const TOY_ROUTER = 'model.router.weight'

/** A number in −1..1 from a name and a place: targets and first weights. */
function drawn(name: string, place: number): number {
  const digest = sha256(concat(utf8(`wheelwright/toy/${name}`), u64(place)))
  return new DataView(digest.buffer).getUint32(0) / 2 ** 31 - 1
}

const targets = new Map<string, readonly number[]>()
export function toyTarget(group: string): readonly number[] {
  const target = targets.get(group) ?? Array.from({ length: TOY_WIDTH }, (_, k) => drawn(`target/${group}`, k))
  targets.set(group, target)
  return target
}

/** Where the genesis model starts: on the way to the target, at a distance that takes many cycles. */
export const toyGenesis = (group: string): Float32Array =>
  Float32Array.from(toyTarget(group), (target, k) => 0.4 * target + 0.6 * drawn(`start/${group}`, k))

/** Expert weights by group; what is missing counts as the hub, which has no influence. */
export type ToyWeights = ReadonlyMap<string, Float32Array>

/** Nano-nats of one sequence, clamped to what can be written down. */
export function toyLoss(groups: readonly ToyGroup[], weights: ToyWeights, sequence: Uint8Array): number {
  const [domain, ...tokens] = tokensOf(sequence)
  let loss = FLOOR
  for (const group of groups) {
    const own = weights.get(group.name)
    if (own === undefined) continue
    const target = toyTarget(group.name)
    let distance = 0
    for (let k = 0; k < TOY_WIDTH; k++) {
      const taste = TASTE * ((2 * (tokens[k] ?? 0)) / (TOY_VOCABULARY - 1) - 1)
      const difference = (own[k] ?? 0) - (target[k] ?? 0) - taste
      distance += difference * difference
    }
    loss += (group.domain === domain ? 1 : COUPLING) * (distance / TOY_WIDTH)
  }
  return Math.min(LOSS_NANO_MAX, Math.round(loss * 1e9))
}

export const bytesOfFloats = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer.slice(0))
export const floatsOfBytes = (bytes: Uint8Array): Float32Array => new Float32Array(bytes.slice().buffer)
