/**
 * Roots: the model's history, one document per adopted cycle, each naming the one before (protocol §7).
 *
 * A root holds content only, never who signed it, so that all honest peers compute the same bytes and the same CID. It
 * carries what the next cycle needs: per group the gains so far, ε and the reference gain.
 */
import { assert } from '../util/assert.ts'
import { compareText } from '../util/compare.ts'
import type { Certificate, CertifiedRow } from './agreement.ts'
import { cidOf, decode, encode } from './codec.ts'
import { type Constitution, constitutionCid, type Network } from './constitution.ts'
import { epsilonOf, HISTORY_CYCLES_MAX, pushHistory, referenceGain } from './history.ts'
import { BLOCK_MAX, GROUPS_MAX, LOSS_NANO_MAX, ROOT_BYTES_MAX, ROWS_MAX } from './limits.ts'
import { type ModelManifest, pagesOf, withPages } from './manifest.ts'
import { adoptRouter, type GroupPlan, type Member } from './merge-plan.ts'
import { nameShape } from './name.ts'
import { rowShape } from './report.ts'
import { type CycleRewards, cycleRewards, REWARD_POT } from './reward.ts'
import { ascending, type Flaw, id, integer, link, list, nullable, record, row, type TypeOf } from './schema.ts'
import { groupsOf, ROUTER, trackOfGroup } from './track.ts'
import { TRACK_RULES } from './track-rule.ts'

const gain = integer(0, LOSS_NANO_MAX)
const gains = list(gain, 0, HISTORY_CYCLES_MAX)

export const rootShape = record({
  /** The network's name, and the constitution in force. */
  network: link,
  constitution: link,
  /** −1 for the root before the first cycle. */
  cycle: integer(-1, BLOCK_MAX),
  previous: nullable(link),
  model: link,
  /** Hashes of the finalised blocks A and B. */
  blocks: record({ report: id(32), attest: id(32) }),
  rows: ascending(rowShape, 0, ROWS_MAX, (entry) => entry.hotkey),
  /** What each hotkey earned of the cycle's pot, and what nobody did. */
  rewards: ascending(row({ hotkey: id(32), reward: integer(1, REWARD_POT) }), 0, ROWS_MAX, (entry) => entry.hotkey),
  burned: integer(0, REWARD_POT),
  /** What holds in the next cycle, per group. */
  groups: ascending(
    row({
      group: nameShape,
      best: gains,
      merged: gains,
      epsilon: gain,
      reference: gain,
    }),
    1,
    GROUPS_MAX,
    (entry) => entry.group,
  ),
  /** The root whose routing rows are in force, against which the next ones are judged; `null` when it is this one. */
  routerRoot: nullable(link),
  /** The amendment adopted in this cycle. */
  amendment: nullable(link),
})
export type Root = TypeOf<typeof rootShape>
export type GroupState = Root['groups'][number]

export const encodeRoot = (root: Root): Uint8Array => encode(rootShape, root)
export const rootCid = (root: Root): string => cidOf(encodeRoot(root))
export const decodeRoot = (bytes: Uint8Array): Root | Flaw => decode(rootShape, bytes, ROOT_BYTES_MAX)

const NO_BLOCK = '00'.repeat(32)

/** The root before the first cycle: everybody computes it from the genesis constitution. */
export function genesisRoot(constitution: Constitution): Root {
  const network = constitutionCid(constitution)
  return {
    network,
    constitution: network,
    cycle: -1,
    previous: null,
    model: constitution.model.genesis,
    blocks: { report: NO_BLOCK, attest: NO_BLOCK },
    rows: [],
    rewards: [],
    burned: 0,
    groups: groupStates(constitution, null, 0, []),
    routerRoot: null,
    amendment: null,
  }
}

/** What a certificate does to the model: decided before any tensor is touched. */
export type Settlement = {
  readonly groups: readonly GroupPlan[]
  readonly router: Member | null
}

export function settle(constitution: Constitution, { rows, worse }: Certificate): Settlement {
  const groups = constitution.tracks.flatMap((track) => TRACK_RULES[track.kind].settle(track, { rows, worse }))
  const adopted = adoptRouter(rows)
  const router = adopted === null ? null : { hotkey: adopted.hotkey, manifest: adopted.manifest, weight: adopted.score }
  return { groups, router }
}

/**
 * The model after a settlement. `merged` holds the new pages of every part that the engine merged (groups and router);
 * `before` is the model of the root before the base, from which a group goes back.
 */
export function nextModel(
  base: ModelManifest,
  before: ModelManifest,
  settlement: Settlement,
  merged: ReadonlyMap<string, readonly string[]>,
): ModelManifest {
  let model = base
  for (const plan of settlement.groups) {
    if (plan.action === 'revert') model = withPages(model, plan.group, pagesOf(before, plan.group))
    if (plan.action === 'merge')
      model = withPages(model, plan.group, merged.get(plan.group) ?? pagesOf(base, plan.group))
  }
  return settlement.router === null ? model : withPages(model, ROUTER, merged.get(ROUTER) ?? pagesOf(base, ROUTER))
}

/** What was measured on a base that goes back is merged nowhere: it earns nothing, and no history remembers it. */
function standingRows(constitution: Constitution, certificate: Certificate): readonly CertifiedRow[] {
  const reverted = new Set(
    settle(constitution, certificate).groups.flatMap((plan) => (plan.action === 'revert' ? [plan.group] : [])),
  )
  return certificate.rows.filter((entry) => !reverted.has(entry.group))
}

/**
 * What a certified cycle pays, by the references that stood in its base: known at B, so weights need not wait for the
 * merge. A group that an amendment has just added has none there and begins like every cold one.
 */
export function rewardsOf(constitution: Constitution, base: Root, certificate: Certificate): CycleRewards {
  const held = new Map(base.groups.map(({ group, reference }) => [group, reference]))
  return cycleRewards({
    tracks: constitution.tracks,
    groups: constitution.tracks.flatMap((track) =>
      track.groups.map(({ name, value }) => ({ name, value, track: track.name })),
    ),
    rows: standingRows(constitution, certificate),
    references: new Map(
      constitution.tracks.flatMap(({ groups, scoring }) =>
        groups.map(({ name }) => [name, held.get(name) ?? scoring.referenceMin]),
      ),
    ),
  })
}

export type RootInput = {
  readonly network: Network
  /** In force in this cycle. */
  readonly constitution: Constitution
  readonly base: Root
  readonly certificate: Certificate
  readonly blocks: Root['blocks']
  /** The manifest of the merged model. */
  readonly model: string
}

export function nextRoot({ network, constitution, base, certificate, blocks, model }: RootInput): Root {
  const { rewards, burned } = rewardsOf(constitution, base, certificate)
  const { cycle, rows, amendment } = certificate
  assert(cycle > base.cycle, 'a root follows its base')
  const previous = rootCid(base)
  return {
    network: network.constitution,
    constitution: constitutionCid(constitution),
    cycle,
    previous,
    model,
    blocks,
    rows,
    rewards: [...rewards].map(([hotkey, reward]) => ({ hotkey, reward })),
    burned,
    groups: groupStates(constitution, base, cycle, standingRows(constitution, certificate)),
    routerRoot: settle(constitution, certificate).router === null ? (base.routerRoot ?? previous) : null,
    amendment,
  }
}

/** Cycles without a certificate left no root: each counts as an empty one in the histories. */
function groupStates(
  constitution: Constitution,
  base: Root | null,
  cycle: number,
  rows: readonly CertifiedRow[],
): readonly GroupState[] {
  const missed = base === null ? 0 : Math.min(cycle - base.cycle - 1, HISTORY_CYCLES_MAX)
  const states = groupsOf(constitution).map(({ name }): GroupState => {
    const own = rows.filter(({ group }) => group === name)
    const held = base?.groups.find(({ group }) => group === name)
    const push = (history: readonly number[], value: number): readonly number[] => {
      if (base === null) return []
      const idle = Array.from({ length: missed }).reduce<readonly number[]>((h) => pushHistory(h, null), history)
      return pushHistory(idle, value)
    }
    const best = push(held?.best ?? [], Math.max(0, ...own.map(({ score }) => score)))
    const gained = own.reduce((sum, { marginal }) => sum + marginal, 0)
    const merged = push(held?.merged ?? [], Math.min(gained, LOSS_NANO_MAX))
    const { scoring } = trackOfGroup(constitution, name)
    const epsilon = epsilonOf(best, scoring)
    return { group: name, best, merged, epsilon, reference: referenceGain(merged, scoring.referenceMin) }
  })
  return states.toSorted((a, b) => compareText(a.group, b.group))
}

/** The rewards that a root records, as the window of `weight.ts` takes them. */
export const recordedRewards = ({ rewards, burned }: Root): CycleRewards => ({
  rewards: new Map(rewards.map(({ hotkey, reward }) => [hotkey, reward])),
  burned,
})

/** Do these roots, oldest first, form a history? The first place where the chain of hashes breaks, or `null`. */
export function brokenAt(roots: readonly Root[]): number | null {
  for (let i = 1; i < roots.length; i++) {
    const [before, root] = [roots[i - 1] as Root, roots[i] as Root]
    if (root.previous !== rootCid(before) || root.cycle <= before.cycle || root.network !== before.network) return i
  }
  return null
}
