/**
 * What a local network learns with: a genesis model, groups and domains, and the ports that train, judge and bring data.
 * The toy is one; another one computes for real. Everybody else does not know which it is.
 */
import type { Blobs, Data, Evaluator, Trainer } from '../ports.ts'
import type { Constitution } from '../protocol/constitution.ts'
import type { SeededRandom } from './random.ts'

export type Kit = {
  readonly domains: readonly string[]
  readonly groups: readonly { readonly name: string; readonly domain: string; readonly value: number }[]
  /** What the opening line calls it. */
  readonly about: string
  /** How far a rogue's noise goes, beside an honest change. */
  readonly noise: number
  /** Stores the genesis model where the founder keeps what the constitution names. */
  readonly found: (founder: Blobs) => Promise<Founded>
  /** `scoring` of the constitution where the kit wants another than the preset's. */
  readonly scoring: Partial<Constitution['tracks'][number]['scoring']>
  readonly windows: Partial<Constitution['windows']>
  /** Of the public pool of a domain. */
  readonly pool: (domain: string, random: SeededRandom, count: number) => readonly Uint8Array[]
  readonly trainer: (blobs: Blobs, random: SeededRandom) => Trainer
  readonly evaluator: (blobs: Blobs) => Evaluator
  /** `common` is the same for everybody, so that losses on the held-out sets can be compared. */
  readonly data: (random: SeededRandom, common: SeededRandom) => Data
  readonly stop: () => Promise<void>
}

export type Founded = {
  readonly model: Constitution['model']
  readonly groupTensors: ReadonlyMap<string, readonly string[]>
  readonly routerTensors: readonly string[]
}
