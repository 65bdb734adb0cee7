/**
 * What a node says of itself: the events of `--json`, the event log, metrics and the dashboard. Types only, typed once.
 *
 * Programs rely on these names and fields (docs/protocol.md, "Events"): fields may be added, none is renamed or removed.
 * Hotkeys are SS58 text here, because people read events. `at` is the block at which the node knew.
 */
import type { Phase } from './protocol/clock.ts'
import type { Reason } from './protocol/reason.ts'
import type { UidWeight } from './protocol/weight.ts'

export type Role = 'validator' | 'miner' | 'bootnode' | 'chain'

export const ROGUES = ['noise', 'copycat', 'late', 'hub', 'sybil', 'liar'] as const
export type Rogue = (typeof ROGUES)[number]

export type DomainLoss = { readonly before: number; readonly after: number }

/** Each with `at` and `node` added by whoever observes it. */
export type Happening =
  | {
      readonly type: 'node.started'
      readonly name: string
      readonly role: Role
      readonly hotkey: string
      readonly uid: number | null
      readonly rogue: Rogue | null
      /** Where others reach it, if they do. */
      readonly address?: string
    }
  | { readonly type: 'phase.entered'; readonly cycle: number; readonly phase: Phase }
  | {
      readonly type: 'submission.judged'
      readonly cycle: number
      readonly validator: string
      readonly hotkey: string
      readonly group: string | null
      readonly accepted: boolean
      readonly reason: Reason | null
      /** Nano-nats. */
      readonly gain: number
      readonly marginal: number
    }
  | {
      readonly type: 'cycle.settled'
      readonly cycle: number
      readonly validator: string
      readonly certified: boolean
      /** The stake of the counted reports over that of the snapshot, 0 to 1. */
      readonly certificate: { readonly stake: number }
      readonly root: string
      /** Nats, on one fixed held-out set per domain. */
      readonly loss: { readonly [domain: string]: DomainLoss }
    }
  | {
      readonly type: 'weights.landed'
      readonly cycle: number
      readonly validator: string
      readonly block: number
      readonly weights: readonly UidWeight[]
    }
  | {
      /** A step that could not be done; the cycle goes on without it. */
      readonly type: 'step.failed'
      readonly cycle: number
      readonly step: string
      readonly code: string
      readonly what: string
    }

export type CycleSummary = {
  readonly cycle: number
  readonly certified: boolean
  readonly root: string
  readonly loss: { readonly [domain: string]: DomainLoss }
  readonly rewards: { readonly [hotkey: string]: number }
}

export type NodeEvent = (Happening | { readonly type: 'summary'; readonly cycles: readonly CycleSummary[] }) & {
  readonly at: number
  readonly node: string
}
