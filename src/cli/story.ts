/**
 * The story of a run, from its events and the roots that were adopted: per cycle what was certified, lost, earned, and why.
 *
 * The table that people read and the `summary` event that programs read are made from this, so they cannot differ.
 */
import type { CycleSummary, DomainLoss, NodeEvent } from '../event.ts'
import { toSs58 } from '../protocol/hotkey.ts'
import type { Reason } from '../protocol/reason.ts'
import { REWARD_POT } from '../protocol/reward.ts'
import type { Root } from '../protocol/root.ts'
import type { UidWeight } from '../protocol/weight.ts'

export type Line = {
  readonly hotkey: string
  readonly group: string | null
  /** Nats. */
  readonly gain: number
  readonly marginal: number
  /** Share of the cycle's pot. */
  readonly reward: number
  readonly reason: Reason | null
}

export type CycleStory = {
  readonly cycle: number
  readonly certified: boolean
  readonly stake: number
  readonly root: string
  /** Is it the root of this very cycle? */
  readonly isNew: boolean
  readonly loss: { readonly [domain: string]: DomainLoss }
  readonly lines: readonly Line[]
  readonly burned: number
  readonly weights: readonly UidWeight[]
  /** Validators that settled on this root, and those whose weights landed. */
  readonly settledBy: number
  readonly landedBy: number
}

const NANO = 1e9
type Settled = Extract<NodeEvent, { type: 'cycle.settled' }>
type Judged = Extract<NodeEvent, { type: 'submission.judged' }>
type Landed = Extract<NodeEvent, { type: 'weights.landed' }>

/** `witness` is the validator whose word stands for what no root records. */
export function storyOf(
  events: readonly NodeEvent[],
  witness: string,
  rootOf: (cid: string) => Root | null,
): readonly CycleStory[] {
  const settled = events.filter((event): event is Settled => event.type === 'cycle.settled')
  return settled
    .filter((event) => event.validator === witness)
    .map((own): CycleStory => {
      const { cycle, certified, certificate, root, loss } = own
      const found = rootOf(root)
      const document = found?.cycle === cycle ? found : null
      const inCycle = <T extends { readonly cycle: number }>(event: T): boolean => event.cycle === cycle
      const landed = events.filter((event): event is Landed => event.type === 'weights.landed').filter(inCycle)
      const judged = events.filter((event): event is Judged => event.type === 'submission.judged').filter(inCycle)
      return {
        cycle,
        certified,
        stake: certificate.stake,
        root,
        isNew: document !== null,
        loss,
        lines: linesOf(
          document,
          judged.filter(({ validator }) => validator === witness),
        ),
        burned: (document?.burned ?? REWARD_POT) / REWARD_POT,
        weights: landed.find(({ validator }) => validator === witness)?.weights ?? [],
        settledBy: settled.filter(inCycle).filter((event) => event.root === root).length,
        landedBy: landed.length,
      }
    })
}

/** What was certified; for who has no row in the root, what the witness saw. */
function linesOf(root: Root | null, judged: readonly Judged[]): readonly Line[] {
  const rewards = new Map(root?.rewards.map(({ hotkey, reward }) => [hotkey, reward / REWARD_POT]))
  const certified = (root?.rows ?? []).map(({ hotkey, group, score, marginal, reason }): Line => {
    const [gain, added] = [score / NANO, marginal / NANO]
    return { hotkey: toSs58(hotkey), group, gain, marginal: added, reward: rewards.get(hotkey) ?? 0, reason }
  })
  const known = new Set(certified.map(({ hotkey }) => hotkey))
  const others = judged
    .filter(({ hotkey }) => !known.has(hotkey))
    .map(({ hotkey, group, reason }): Line => ({ hotkey, group, gain: 0, marginal: 0, reward: 0, reason }))
  return [...certified, ...others]
}

export const summaryOf = (story: readonly CycleStory[]): readonly CycleSummary[] =>
  story.map(({ cycle, certified, root, loss, lines }) => ({
    cycle,
    certified,
    root,
    loss,
    rewards: Object.fromEntries(lines.filter(({ reward }) => reward > 0).map(({ hotkey, reward }) => [hotkey, reward])),
  }))
