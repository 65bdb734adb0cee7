/**
 * Which experts a domain shall have, by what its tokens give them. Domains share none: two owners of one tensor would
 * overwrite each other's work in every merge.
 *
 * What an expert is worth to a domain is what the domain gives it, times the domain's part in what all of them give it. So
 * neither an expert that everybody needs is first, nor one that hardly anybody asks. Domains take turns, layer by layer: one
 * expert each, and then again in the opposite order; who begins changes with the layer.
 */
import { assert } from '../../util/assert.ts'

/** `gates`: for each domain what it gives each expert. Answers `count` experts for each domain, ascending. */
export function draft(
  gates: readonly ArrayLike<number>[],
  count: number,
  beginner: number,
): readonly (readonly number[])[] {
  const experts = gates[0]?.length ?? 0
  assert(gates.length * count <= experts, 'there are experts for everybody')
  const numbers = Array.from({ length: experts }, (_, expert) => expert)
  const all = numbers.map((expert) => gates.reduce((sum, own) => sum + (own[expert] as number), 0))
  const worth = gates.map((own) =>
    numbers.map((expert) => (own[expert] as number) ** 2 / ((all[expert] as number) || 1)),
  )

  const order = gates.map((_, turn) => (beginner + turn) % gates.length)
  const taken = gates.map(() => [] as number[])
  const free = new Set(numbers)
  for (let round = 0; round < count; round++) {
    for (const domain of round % 2 === 0 ? order : order.toReversed()) {
      const best = bestOf(worth[domain] as readonly number[], free)
      free.delete(best)
      taken[domain]?.push(best)
    }
  }
  return taken.map((own) => own.toSorted((a, b) => a - b))
}

/** The lowest number of those that are worth most. */
function bestOf(worth: readonly number[], free: ReadonlySet<number>): number {
  let best = -1
  for (const expert of free) {
    if (best === -1 || (worth[expert] as number) > (worth[best] as number)) best = expert
  }
  return best
}
