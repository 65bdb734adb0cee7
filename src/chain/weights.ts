/**
 * Weights, in whatever mode the subnet demands: set at once, or committed now and revealed in a later epoch.
 *
 * A timelocked commit is revealed by the chain itself, and here only looked after. In classic commit-reveal, for chains
 * without a beacon, the salt is on disk before the hash is sent, and the reveal is done by whoever runs with that file
 * when its epoch has come: a validator that restarts in between loses nothing. Rate limits are read before sending.
 */
import { blake2b } from '@noble/hashes/blake2.js'
import { NodeError } from '../errors.ts'
import type { Cancel, Landing, Log, Random } from '../ports.ts'
import type { UidWeight } from '../protocol/weight.ts'
import { concat, hexBytes, toHex } from '../util/bytes.ts'
import { createQueue } from '../util/queue.ts'
import type { Link } from './link.ts'
import type { Debts, Owed, OwedByChain, OwedReveal } from './owed.ts'
import {
  finalHead,
  hashAt,
  readCommitEpoch,
  readRules,
  readSealed,
  readTimelock,
  readVoice,
  readWeightsRow,
  type State,
  type SubnetRules,
  stateAt,
  subnetExists,
  unknownSubnet,
} from './read.ts'
import { REGISTER, STAKE } from './refusal.ts'
import { scaleU16s, scaleU64, u16s } from './scale.ts'
import { payloadOf, revealBlock, revealRound, type Vector } from './timelock.ts'
import { seal } from './tlock.ts'
import { type Effects, isRowOf } from './write.ts'
import type { Writer } from './writer.ts'

export type WeightsDeps = {
  readonly link: Link
  readonly writer: Writer
  readonly random: Random
  readonly log: Log
  readonly debts: Debts
}
export type WeightsAccount = { readonly netuid: number; readonly hotkey: string }

export type Weights = {
  /** Landed: the row stands, or the commit does. */
  readonly set: (weights: readonly UidWeight[], opts: { readonly lastBlock: number } & Cancel) => Promise<Landing>
  /** Reveals what is due in this epoch, and sees what the chain revealed. Called at every finalised block. */
  readonly revealDue: (opts: Cancel) => Promise<void>
  readonly owed: () => readonly Owed[]
  /** Resolves when nothing is owed any more: with the last reveal, or `null` when there was none. */
  readonly whenRevealed: Debts['whenNone']
}

const SALT_WORDS = 8

export function createWeights(account: WeightsAccount, deps: WeightsDeps): Weights {
  const { link } = deps
  /** One vector after the other, in the order in which they were asked for. */
  const inTurn = createQueue()
  const desk: Desk = { ...account, ...deps, committing: new Set() }
  return {
    owed: desk.debts.all,
    whenRevealed: desk.debts.whenNone,
    set: (weights, opts) => {
      const copy = weights.slice() // it may wait for its turn, and the caller may go on with its own
      return inTurn(() => set(desk, copy, opts))
    },
    revealDue: async (opts) => {
      if (desk.debts.all().length === 0) return
      const { state, block } = await finalisedState(link, opts)
      await settleUnlanded(desk, state)
      await settleTimelocked(desk, state, block)
      await revealHashed(desk, state, block, opts)
    },
  }
}

/** What every step of it needs. */
type Desk = WeightsAccount &
  WeightsDeps & {
    /** Hashes and ciphertexts that are on their way to the chain. */
    readonly committing: Set<string>
  }

type Opts = { readonly lastBlock: number } & Cancel

async function set(desk: Desk, weights: readonly UidWeight[], opts: Opts): Promise<Landing> {
  const { netuid, hotkey, link, writer } = desk
  const { state, block } = await finalisedState(link, opts)
  const rules = await readRules(state, netuid)
  const vector: Vector = {
    hotkey,
    uids: weights.map(([uid]) => uid),
    values: weights.map(([, value]) => value),
    versionKey: String(rules.versionKey),
  }
  checkVector(vector, rules)
  await checkPermit(state, desk, vector)
  if (rules.commitReveal) {
    const resumed = await resume(desk, vector, rules, opts)
    if (resumed !== null) return resumed
  }
  const { row, updated } = await readWeightsRow(state, netuid, hotkey)
  const allowed = updated === 0 ? 0 : updated + rules.weightsRateLimit
  // Asked for once more within the limit: it is done, and the chain would take no other one.
  if (!rules.commitReveal && allowed > block && isRowOf(row, vector)) return { block: updated }
  await waitForBlock(link, allowed, opts)
  if (!rules.commitReveal) {
    const effect = { netuid, ...vector, since: Math.max(1, allowed) }
    return writer.write({ kind: 'weights', effect }, opts)
  }
  const isTimelocked = await link.use(async (api) => (await readTimelock(api, state, netuid, block)) !== null, opts)
  return isTimelocked ? commitTimelocked(desk, vector, opts) : commitHashed(desk, owedFor(desk, vector), opts)
}

/** The same vector was committed, or was about to be, when an earlier call ended: it goes on from there. */
async function resume(desk: Desk, vector: Vector, rules: SubnetRules, opts: Opts): Promise<Landing | null> {
  const best = desk.link.health().best?.number ?? 0
  for (const debt of desk.debts.all()) {
    if (!isSame(debt, vector)) continue
    const block = 'commit' in debt ? debt.block : (debt.landed?.block ?? null)
    // In one epoch a second commit of the same is revealed with the first, and shows nothing that the first did not.
    const isOfEpoch = 'hash' in debt && debt.landed?.epoch === rules.epoch
    if (block !== null && (isOfEpoch || block + rules.weightsRateLimit > best)) return { block }
    if (block !== null) continue
    if ('hash' in debt) return commitHashed(desk, debt, opts)
    await desk.debts.drop([debt], null) // its round may be over; the journal knows whether it was sent
  }
  return null
}

const isSame = (a: Pick<Vector, 'uids' | 'values'>, b: Vector): boolean =>
  a.uids.join() === b.uids.join() && a.values.join() === b.values.join()

/** Likewise: nobody sees what is in a commit before it is revealed. */
function checkVector({ uids }: Vector, { uidCount }: SubnetRules): void {
  const strange = uids.find((uid, i) => uid >= uidCount || uids.indexOf(uid) !== i)
  // An unknown subnet has no uids; that is told in its own words.
  if (strange === undefined || uidCount === 0) return
  const why = strange >= uidCount ? `the subnet has the uids 0 to ${uidCount - 1}` : 'it is there twice'
  throw new NodeError('WRITE_REFUSED', {
    what: `weights cannot be set for uid ${strange}`,
    why,
    remedy: 'Name every uid once; `wheelwright chain metagraph` lists them.',
  })
}

/** A commit is taken from anybody: who has no voice would learn it an epoch later, when it is revealed. */
async function checkPermit(state: State, { netuid, hotkey }: WeightsAccount, { uids }: Vector): Promise<void> {
  const { uid, permit, isOwner } = await readVoice(state, netuid, hotkey)
  const what = 'weights cannot be set'
  if (uid === null && !(await subnetExists(state, netuid))) throw unknownSubnet(netuid)
  if (uid === null) {
    const why = `the hotkey is not registered in subnet ${netuid}`
    throw new NodeError('WRITE_REFUSED', { what, why, remedy: REGISTER })
  }
  const isOwn = uids.length === 1 && uids[0] === uid
  if (permit || isOwner || isOwn) return
  const why = `the hotkey, uid ${uid}, has no validator permit in subnet ${netuid}`
  throw new NodeError('WRITE_REFUSED', { what, why, remedy: STAKE })
}

/**
 * Encrypts anew when the round is over before the commit lands, for what was sent before is refused for ever; and when the
 * epoch ends that it was sealed in, for it would be known too early in a later one.
 */
async function commitTimelocked(desk: Desk, vector: Vector, opts: Opts): Promise<Landing> {
  const { writer, debts, log } = desk
  const { uids, values } = vector
  for (;;) {
    const { effect, epochEnd } = await sealVector(desk, vector, opts)
    const { commit, round } = effect
    const debt: OwedByChain = { uids, values, commit, round, block: null }
    desk.committing.add(commit)
    await debts.add(debt)
    try {
      const lastBlock = Math.min(opts.lastBlock, epochEnd)
      const landing = await writer.write({ kind: 'weights-timelocked', effect }, { ...opts, lastBlock })
      await debts.change(debt, { ...debt, block: landing.block })
      log.info('weights committed, timelocked', { block: landing.block, round })
      return landing
    } catch (error) {
      if (error instanceof NodeError) await debts.drop([debt], null)
      const isEpochOver = error instanceof NodeError && error.code === 'WINDOW_MISSED' && epochEnd < opts.lastBlock
      if (!isRoundOver(error) && !isEpochOver) throw error
      log.warn('timelocked weights are sealed anew', { round, why: isEpochOver ? 'the epoch' : 'the round' })
    } finally {
      desk.committing.delete(commit)
    }
  }
}

/** Read anew each time: the wait for the rate limit may have been long. */
async function sealVector(
  desk: Desk,
  vector: Vector,
  opts: Cancel,
): Promise<{ readonly effect: Effects['weights-timelocked']; readonly epochEnd: number }> {
  const { netuid, hotkey, link, random } = desk
  const { state, block } = await finalisedState(link, opts)
  const rules = await readRules(state, netuid)
  const timelock = await link.use((api) => readTimelock(api, state, netuid, block), opts)
  if (timelock === null) {
    const what = 'the weights cannot be timelocked'
    throw new NodeError('CHAIN_FOREIGN', { what, why: 'the chain stopped taking such commits while we waited' })
  }
  const { best, blockMs } = link.health()
  const at = (best?.number ?? block) + 1
  const schedule = { netuid, ...rules }
  const round = revealRound(schedule, timelock, { at, blockMs })
  const commit = toHex(seal(payloadOf(vector), round, { beacon: timelock.beacon, random }))
  const epochEnd = revealBlock({ ...schedule, revealPeriodEpochs: 1 }, timelock, at) - 1
  return { effect: { netuid, hotkey, commit, round: String(round) }, epochEnd }
}

/** The pool knows it by a number, a block by a name. */
const isRoundOver = (error: unknown): boolean =>
  error instanceof NodeError && (error.data['custom'] === '15' || error.message.includes('InvalidRevealRound'))

/** Of an earlier run that ended on the way: the chain has it, or it will never have it, or its bytes may still land. */
async function settleUnlanded({ netuid, hotkey, debts, committing, writer }: Desk, state: State): Promise<void> {
  for (const debt of debts.all()) {
    if (!('commit' in debt) || debt.block !== null || committing.has(debt.commit)) continue
    const held = (await readSealed(state, netuid, hotkey)).find(({ commit }) => commit === debt.commit)
    if (held !== undefined) await debts.change(debt, { ...debt, block: held.block })
    else if (writer.pending().length === 0) await debts.drop([debt], null)
  }
}

type LandedByChain = OwedByChain & { readonly block: number }

/** What the chain does not hold any more it has opened, or given up: the row tells which. */
async function settleTimelocked({ netuid, hotkey, debts, log }: Desk, state: State, block: number): Promise<void> {
  const isDue = (debt: Owed): debt is LandedByChain => 'commit' in debt && debt.block !== null && debt.block <= block
  const owed = debts.all().filter(isDue)
  if (owed.length === 0) return
  const held = new Set((await readSealed(state, netuid, hotkey)).map(({ commit }) => commit))
  const gone = owed.filter(({ commit }) => !held.has(commit))
  // Of several that were opened together, the newest is the row.
  const newest = gone.at(-1)
  if (newest === undefined) return
  const { row } = await readWeightsRow(state, netuid, hotkey)
  if (isRowOf(row, newest)) return debts.drop(gone, { block })
  log.warn('a timelocked commit was not revealed', { committed: newest.block, round: newest.round })
  const what = `the weights that were committed at block ${newest.block} do not stand`
  const why = `the chain gave the commit up: it had no pulse of round ${newest.round} in time, or refused what was inside`
  await debts.drop(gone, new NodeError('WINDOW_MISSED', { what, why }))
}

function owedFor({ netuid, random }: Desk, vector: Vector): OwedReveal {
  const salt = saltOf(random)
  return { netuid, ...vector, salt, hash: commitHash({ netuid, ...vector, salt }), landed: null }
}

async function commitHashed(desk: Desk, debt: OwedReveal, opts: Opts): Promise<Landing> {
  const { netuid, hotkey, link, writer, debts, log } = desk
  const { hash } = debt
  desk.committing.add(hash)
  try {
    if (!debts.all().includes(debt)) await debts.add(debt)
    const landing = await writer.write({ kind: 'weights-commit', effect: { netuid, hotkey, hash } }, opts)
    const epoch = await epochOf(link, debt, landing.block, opts)
    await debts.change(debt, { ...debt, landed: { block: landing.block, epoch } })
    log.info('weights committed', { epoch, block: landing.block })
    return landing
  } finally {
    desk.committing.delete(hash)
  }
}

/** As the chain wrote it down: an epoch that is due may begin a block late, and the commit counts for it already. */
const epochOf = (link: Link, debt: OwedReveal, block: number, opts: Cancel): Promise<number> =>
  link.use(async (api) => {
    const state = await stateAt(api, await hashAt(api, block))
    return (await readCommitEpoch(state, debt)) ?? (await readRules(state, debt.netuid)).epoch
  }, opts)

async function revealHashed(desk: Desk, state: State, block: number, opts: Cancel): Promise<void> {
  const { debts, writer, log } = desk
  const { epoch, revealPeriodEpochs, tempo } = await readRules(state, desk.netuid)
  for (const debt of debts.all()) {
    if (!('hash' in debt) || desk.committing.has(debt.hash)) continue
    const committed = debt.landed?.epoch ?? (await readCommitEpoch(state, debt))
    // Of an earlier run, and perhaps still to land.
    if (committed === null && writer.pending().length > 0) continue
    const due = committed === null ? null : committed + revealPeriodEpochs
    if (due !== null && epoch < due) continue
    if (due === epoch) {
      const window = { lastBlock: block + Math.max(8, tempo), ...opts }
      const end = await writer.write({ kind: 'weights-reveal', effect: debt }, window).catch(refusalOf)
      if (end !== null) await debts.drop([debt], end)
    } else {
      log.warn('a weights commit expired unrevealed', { epoch, due: due ?? -1 })
      await debts.drop([debt], due === null ? null : expired(epoch, due))
    }
  }
}

/** By the same rule as `isRoundOver`: the node that we asked is behind. */
const isTooEarly = (error: NodeError): boolean =>
  error.data['custom'] === '17' || error.message.includes('RevealTooEarly')

/** What the chain refuses in its epoch it refuses for good. Everything else is tried again with the next block. */
function refusalOf(error: unknown): NodeError | null {
  if (!(error instanceof NodeError) || error.code !== 'WRITE_REFUSED') throw error
  return isTooEarly(error) ? null : error
}

const expired = (epoch: number, due: number): NodeError =>
  new NodeError('WINDOW_MISSED', {
    what: `weights that were to be revealed in epoch ${due} do not stand`,
    why: `epoch ${epoch} has begun, and no reveal had landed`,
  })

const finalisedState = (link: Link, opts: Cancel): Promise<{ readonly state: State; readonly block: number }> =>
  link.use(async (api) => {
    const { number, hash } = await finalHead(api)
    return { state: await stateAt(api, hash), block: number }
  }, opts)

/** Until the chain takes a new row, when the window allows to wait so long. */
async function waitForBlock(link: Link, allowed: number, { lastBlock, signal }: Opts): Promise<void> {
  const best = link.health().best?.number ?? 0
  if (best + 1 >= allowed) return
  if (allowed > lastBlock) {
    throw new NodeError('RATE_LIMITED', {
      what: 'weights cannot be set in this window',
      why: `the chain takes the next vector at block ${allowed}, in ${allowed - best} blocks`,
      data: { allowed, blocks: allowed - best },
    })
  }
  await untilBlock(link, allowed - 1, signal)
}

async function untilBlock(link: Link, block: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const end = (): void => {
      unwatch()
      signal.removeEventListener('abort', onAbort)
    }
    const onAbort = (): void => {
      end()
      reject(signal.reason)
    }
    let unwatch = (): void => undefined
    unwatch = link.watch((event) => {
      if (event.type !== 'block.best' || event.block.number < block) return
      queueMicrotask(end) // `watch` tells the present head before it returns
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

function saltOf(random: Random): readonly number[] {
  const bytes = random.bytes(2 * SALT_WORDS)
  return Array.from({ length: SALT_WORDS }, (_, i) => (bytes[2 * i] ?? 0) + 256 * (bytes[2 * i + 1] ?? 0))
}

/** blake2b-256 over SCALE of (account, storage index u16, uids, values, salt, version key u64), as the runtime has it. */
export function commitHash({
  netuid,
  hotkey,
  uids,
  values,
  salt,
  versionKey,
}: Omit<OwedReveal, 'hash' | 'landed'>): string {
  const words = [u16s([netuid]), scaleU16s(uids), scaleU16s(values), scaleU16s(salt)]
  return toHex(blake2b(concat(hexBytes(hotkey), ...words, scaleU64(BigInt(versionKey))), { dkLen: 32 }))
}
