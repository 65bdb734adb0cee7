/** Sequences from a seed: fresh ones for every owner, domain and cycle, and one fixed set per domain. */
import type { Data } from '../ports.ts'
import { sequenceOf } from '../protocol/shard.ts'
import { assert } from '../util/assert.ts'
import type { SeededRandom } from './random.ts'
import { TOY_TOKENS } from './toy.ts'

const HELD_OUT_SEQUENCES = 64

export function toySequences(random: SeededRandom, domain: number, count: number): readonly Uint8Array[] {
  assert(domain >= 0, 'a domain has a place among the domains')
  return Array.from({ length: count }, () => {
    const [, ...tastes] = random.bytes(TOY_TOKENS)
    return sequenceOf([domain, ...tastes])
  })
}

/** `common` is the same for everybody, so that losses on the held-out sets can be compared. */
export function createToyData(domains: readonly string[], random: SeededRandom, common: SeededRandom): Data {
  return {
    draw: async ({ domain, cycle, count }, { signal }) => {
      signal.throwIfAborted()
      return toySequences(random.fork(`draw/${domain}/${cycle}`), domains.indexOf(domain), count)
    },
    heldOut: async (domain, { signal }) => {
      signal.throwIfAborted()
      const sequences = toySequences(common.fork(`held-out/${domain}`), domains.indexOf(domain), HELD_OUT_SEQUENCES)
      return { name: `held-out/${domain}`, sequences }
    },
  }
}
