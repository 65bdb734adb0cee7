/**
 * What follows from a cycle's reports: the tally, the merge, the root, the weights (protocol §6 to §8).
 *
 * Everything here is computed from finalised facts, so all honest validators come to the same bytes.
 */
import { NodeError } from '../errors.ts'
import type { DomainLoss } from '../event.ts'
import { fetchPart, fetchRoot, fetchSubmission, storeModel, storePart } from '../library/document.ts'
import type { Cancel, ModelRef, ValidatorPorts } from '../ports.ts'
import { attestations, type Certificate, certify, reportHashes, type Tally, tally } from '../protocol/agreement.ts'
import { EMPTY_BITMAP, encodeRecord, placesOf, type SlotRecord } from '../protocol/commitment.ts'
import { toSs58 } from '../protocol/hotkey.ts'
import type { TensorEntry } from '../protocol/manifest.ts'
import type { Member } from '../protocol/merge-plan.ts'
import type { CycleRewards } from '../protocol/reward.ts'
import { encodeRoot, nextModel, nextRoot, type Root, recordedRewards, rewardsOf, settle } from '../protocol/root.ts'
import type { Snapshot } from '../protocol/snapshot.ts'
import { domainsOf, ROUTER, trackOfGroup } from '../protocol/track.ts'
import { rewardWindow, toWeights } from '../protocol/weight.ts'
import { type Base, fetchBase } from './base.ts'
import { deadlinesIn, holdersOf, type Opening, type Self } from './cycle.ts'
import { readSlots } from './fact.ts'
import { bareLosses } from './measurement.ts'
import type { ValidatorWork } from './validating.ts'
import { known } from './work.ts'

/** `certificate` is there when the cycle is certified and we hold every counted body. */
export type Outcome = { readonly tally: Tally; readonly certificate: Certificate | null }

export type SettlingStep = 'tally' | 'merge' | 'root' | 'settle' | 'weigh'

export const createSettling = (self: Self, ports: ValidatorPorts): { readonly [S in SettlingStep]: ValidatorWork } => ({
  tally: async ({ input: { cycle }, opening, outcome }, opts) => {
    const { snapshot } = known(opening)
    const { report, attest } = deadlinesIn(self, cycle)
    const hashes = reportHashes(snapshot, await readSlots(ports.chain, self.network, report, opts))
    const bitmaps = attestations(snapshot, await readSlots(ports.chain, self.network, attest, opts))
    const result = tally(snapshot, hashes, bitmaps)
    if (outcome === undefined) shareBodies(self, lackedBodies(snapshot, result.counted, bitmaps), opts)
    const isWhole = result.certified && holdsBodies(self, result)
    const certificate = isWhole ? certify(snapshot, result, self.inbox.reports) : null
    return { outcome: { tally: result, certificate } }
  },

  merge: async ({ opening, outcome }, opts) => {
    const certificate = outcome?.certificate
    if (certificate == null) return {}
    const { base } = known(opening)
    const { constitution } = self
    const settlement = settle(constitution, certificate)
    const merged = new Map<string, readonly string[]>()
    for (const plan of settlement.groups) {
      if (plan.action !== 'merge') continue
      const { etaPpm } = trackOfGroup(constitution, plan.group).merge
      merged.set(plan.group, await mergePart(self, ports, base, plan.group, plan.members, etaPpm, opts))
    }
    if (settlement.router !== null) {
      merged.set(ROUTER, await mergePart(self, ports, base, ROUTER, [settlement.router], ADOPT_PPM, opts))
    }
    const model = await storeModel(ports.blobs, nextModel(base.model, base.before.model, settlement, merged), opts)
    const { report, attest } = deadlinesIn(self, certificate.cycle)
    const blocks = { report: await ports.chain.hashOf(report, opts), attest: await ports.chain.hashOf(attest, opts) }
    const root = nextRoot({ network: self.network, constitution, base: base.root, certificate, blocks, model })
    return { computed: await ports.blobs.put(encodeRoot(root), { codec: 'dag-cbor', withheld: false, ...opts }) }
  },

  root: async ({ input: { cycle }, opening, computed, bitmap = EMPTY_BITMAP }, { signal }) => {
    if (computed === undefined) return {}
    const slot: SlotRecord = { kind: 'root', cycle, base: known(opening).base.cid, root: computed, bitmap }
    self.voice.sayRecord(slot, { signal })
    await ports.chain.writeSlot(encodeRecord(self.network, slot), { lastBlock: deadlinesIn(self, cycle).merge, signal })
    return {}
  },

  /** Tells how the cycle ended, when this is known, with losses on sets that no rule reads. */
  settle: async ({ input: { cycle }, opening, outcome, adopted }, opts) => {
    if (opening === undefined || outcome === undefined || adopted === undefined) return {}
    const { stakeTotal } = opening.snapshot
    const root = adopted ?? opening.base.cid
    // Millionths first: the quotient of two u64 is not exact, and this is for people.
    const stake = stakeTotal === 0n ? 0 : Number((outcome.tally.stake * 1_000_000n) / stakeTotal) / 1_000_000
    ports.observe({
      type: 'cycle.settled',
      cycle,
      validator: toSs58(ports.keys.hotkey),
      certified: outcome.tally.certified,
      certificate: { stake },
      root,
      loss: await heldOutLosses(self, ports, opening, root, opts),
    })
    return {}
  },

  /** Every cycle, also an uncertified one: old weights would pay old miners for ever. */
  weigh: async ({ input: { cycle }, opening, outcome, adopted, finalised }, { signal }) => {
    const { base } = known(opening)
    const recent = await recentRewards(self, ports, base.root, cycle, { signal })
    const certificate = outcome?.certificate
    const now =
      certificate == null
        ? await adoptedRewards(ports, adopted ?? null, { signal })
        : rewardsOf(self.constitution, base.root, certificate)
    const window = rewardWindow([recent, now])
    const neurons = await ports.chain.neurons(finalised, { signal })
    const uids = new Map(neurons.map(({ hotkey, uid }) => [hotkey, uid]))
    const { entriesMin, uidCount } = await ports.chain.weightRules(finalised, { signal })
    const { burnUid } = self.constitution.rewards
    const weights = toWeights({ window, uidOf: (hotkey) => uids.get(hotkey), burnUid, entriesMin, uidCount })
    const { block } = await ports.chain.setWeights(weights, { lastBlock: deadlinesIn(self, cycle).last, signal })
    const uid = uids.get(ports.keys.hotkey)
    const landed = uid === undefined ? [] : await ports.chain.weightsOf(uid, block, { signal })
    ports.observe({ type: 'weights.landed', cycle, validator: toSs58(ports.keys.hotkey), block, weights: landed })
    return {}
  },
})

/** Counted bodies that some counted validator does not hold, as far as its attestation says. */
function lackedBodies(
  { placeOf }: Snapshot,
  counted: readonly string[],
  bitmaps: ReadonlyMap<string, string>,
): readonly string[] {
  const held = counted.flatMap((hotkey) => {
    const bitmap = bitmaps.get(hotkey)
    return bitmap === undefined ? [] : [new Set(placesOf(bitmap))]
  })
  return counted.filter((hotkey) => !held.every((places) => places.has(placeOf.get(hotkey) ?? -1)))
}

export const holdsBodies = ({ inbox }: Self, { counted, cycle }: Tally): boolean =>
  inbox.known.cycle === cycle && counted.every((hotkey) => inbox.reports.has(hotkey))

/**
 * Says again, in its author's envelope, what somebody else lacks: whoever sends its body to a majority alone would keep
 * the rest from merging. Gossip carries equal messages once, however many say them.
 */
function shareBodies({ inbox, voice }: Self, lacked: readonly string[], opts: Cancel): void {
  for (const hotkey of lacked) {
    const bytes = inbox.bytesOf(hotkey)
    if (bytes !== null) voice.repeat('report', bytes, opts)
  }
}

/** Routing rows are adopted whole. */
const ADOPT_PPM = 1_000_000

/** The pages of a part after its merge. Manifests are fetched from whoever serves them: the miner may be gone. */
async function mergePart(
  { inbox }: Self,
  { blobs, evaluator }: ValidatorPorts,
  base: Base,
  part: string,
  members: readonly Member[],
  etaPpm: number,
  opts: Cancel,
): Promise<readonly string[]> {
  const held = await fetchPart(blobs, base.model, part, { from: [], ...opts })
  if (held === null) throw malformed(`${part} of the base`, base.root.model)
  const submissions: { tensors: readonly TensorEntry[]; weight: number }[] = []
  for (const { hotkey, manifest, weight } of members) {
    const submission = await fetchSubmission(blobs, manifest, { from: inbox.addressOf(hotkey), ...opts })
    if (submission === null) throw malformed('a certified submission', manifest)
    submissions.push({ tensors: submission.tensors, weight })
  }
  const model: ModelRef = { manifest: base.root.model, from: [] }
  const changed = await evaluator.merge({ model, etaPpm, members: submissions }, opts)
  return storePart(blobs, held, changed, opts)
}

const malformed = (what: string, cid: string): NodeError =>
  new NodeError('ROOT_MALFORMED', { what: `${what} cannot be merged`, why: `${cid} is malformed` })

/** What the new root pays, for who missed a body that it was certified from; nothing, where no root is new. */
async function adoptedRewards(
  { blobs }: Pick<ValidatorPorts, 'blobs'>,
  adopted: string | null,
  opts: Cancel,
): Promise<CycleRewards | null> {
  const root = adopted === null ? null : await fetchRoot(blobs, adopted, { from: [], ...opts })
  return root === null ? null : recordedRewards(root)
}

/** The certified rewards of the window before this cycle, from the roots that recorded them. */
export async function recentRewards(
  { constitution }: Self,
  { blobs }: Pick<ValidatorPorts, 'blobs'>,
  current: Root,
  cycle: number,
  opts: Cancel,
): Promise<CycleRewards> {
  const cycles: CycleRewards[] = []
  let root: Root | null = current
  while (root !== null && root.cycle > cycle - constitution.rewards.cycles && root.previous !== null) {
    cycles.push(recordedRewards(root))
    root = await fetchRoot(blobs, root.previous, { from: [], ...opts })
  }
  return rewardWindow(cycles)
}

async function heldOutLosses(
  self: Self,
  { data, evaluator, blobs }: ValidatorPorts,
  { base, snapshot }: Opening,
  adopted: string,
  opts: Cancel,
): Promise<{ readonly [domain: string]: DomainLoss }> {
  const from = holdersOf(self, snapshot)
  const after = adopted === base.cid ? base : await fetchBase(blobs, adopted, { from, ...opts })
  const losses: { [domain: string]: DomainLoss } = {}
  for (const domain of domainsOf(self.constitution)) {
    const samples = await data.heldOut(domain, opts)
    const mean = async (manifest: string): Promise<number> => {
      const all = await bareLosses(evaluator, { manifest, from }, samples, opts)
      return all.reduce((sum, loss) => sum + loss, 0) / all.length / 1e9
    }
    const before = await mean(base.root.model)
    losses[domain] = { before, after: after === null ? before : await mean(after.root.model) }
  }
  return losses
}
