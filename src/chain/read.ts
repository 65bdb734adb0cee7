/**
 * Readings of the chain at one block, in our own plain types.
 *
 * Everything is feature-detected from the metadata of that block, never from a version number: what a chain does not have
 * reads as its default, and what we cannot do without is said in one sentence. The library's loose types end here.
 */
import type { ApiPromise } from '@polkadot/api'
import type { ApiDecoration } from '@polkadot/api/types'
import { NodeError } from '../errors.ts'
import type { Block, Neuron } from '../ports.ts'
import { fromSs58 } from '../protocol/hotkey.ts'
import type { UidWeight } from '../protocol/weight.ts'
import { toHex, withoutPrefix } from '../util/bytes.ts'
import { type Beacon, QUICKNET } from './tlock.ts'

/** The chain as it stood after one block. */
export type State = { readonly at: ApiDecoration<'promise'>; readonly hash: string }

/** The head that nobody takes back. */
export async function finalHead(api: ApiPromise): Promise<Block> {
  const hash = await api.rpc.chain.getFinalizedHead()
  return { number: (await api.rpc.chain.getHeader(hash)).number.toNumber(), hash: withoutPrefix(hash.toHex()) }
}

export const bestNumber = async (api: ApiPromise): Promise<number> =>
  (await api.rpc.chain.getHeader()).number.toNumber()

/** Of the best chain, where blocks may still change. */
export const hashAt = async (api: ApiPromise, block: number): Promise<string> =>
  withoutPrefix((await api.rpc.chain.getBlockHash(block)).toHex())

export const stateAt = async (api: ApiPromise, hash: string): Promise<State> => ({
  at: await api.at(`0x${hash}`),
  hash,
})

/** What the library decodes to, as far as we look at it. */
type Codec = { toJSON(): unknown; toU8a(bare?: boolean): Uint8Array }
type Entry = ((...keys: unknown[]) => Promise<Codec>) & {
  entries(...keys: unknown[]): Promise<[{ args: readonly Codec[] }, Codec][]>
  multi(keys: readonly unknown[]): Promise<Codec[]>
}

const entryOf = ({ at }: State, pallet: string, name: string): Entry | null =>
  (at.query[pallet]?.[name] as unknown as Entry | undefined) ?? null

function needEntry(state: State, pallet: string, name: string): Entry {
  const entry = entryOf(state, pallet, name)
  if (entry !== null) return entry
  throw new NodeError('CHAIN_FOREIGN', {
    what: `this chain has no storage ${pallet}.${name}`,
    why: 'it is no subtensor, or one of a version that has dropped it',
  })
}

const numberOf = (value: unknown): number => Number(value ?? 0)
/** Integers beyond 2^53 come as hex text. */
const bigOf = (value: unknown): bigint => (typeof value === 'number' || typeof value === 'string' ? BigInt(value) : 0n)
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const hotkeyOf = (codec: Codec): string => toHex(codec.toU8a())

/** Does the subnet exist? */
export async function subnetExists(state: State, netuid: number): Promise<boolean> {
  return (await needEntry(state, 'subtensorModule', 'networksAdded')(netuid)).toJSON() === true
}

export const unknownSubnet = (netuid: number): NodeError =>
  new NodeError('SUBNET_UNKNOWN', { what: `there is no subnet ${netuid}`, why: 'the chain does not know this netuid' })

async function readUid(state: State, netuid: number, hotkey: string): Promise<number | null> {
  const uid = (await needEntry(state, 'subtensorModule', 'uids')(netuid, `0x${hotkey}`)).toJSON()
  return typeof uid === 'number' ? uid : null
}

/** Everybody in the subnet, by uid. One call where the metadata names it, so that all fields are of one moment. */
export async function readNeurons(state: State, netuid: number): Promise<readonly Neuron[]> {
  const metagraph = state.at.call['subnetInfoRuntimeApi']?.['getMetagraph']
  return metagraph === undefined ? neuronsFromStorage(state, netuid) : neuronsFromMetagraph(await metagraph(netuid))
}

function neuronsFromMetagraph(answer: unknown): readonly Neuron[] {
  const fields = (answer as Codec).toJSON() as { readonly [field: string]: unknown } | null
  if (fields === null) return []
  const [stakes, permits] = [listOf(fields['totalStake']), listOf(fields['validatorPermit'])]
  return listOf(fields['hotkeys']).map((address, uid) => ({
    uid,
    hotkey: hotkeyOfAddress(address),
    stake: bigOf(stakes[uid]),
    permit: permits[uid] === true,
  }))
}

/**
 * Runtimes whose metadata names no calls, or not this one. Stake is the alpha behind a hotkey alone, without what TAO and
 * parents add: less than the call tells, and the same for all who ask such a runtime.
 */
async function neuronsFromStorage(state: State, netuid: number): Promise<readonly Neuron[]> {
  const keys = await needEntry(state, 'subtensorModule', 'keys').entries(netuid)
  const permits = listOf((await needEntry(state, 'subtensorModule', 'validatorPermit')(netuid)).toJSON())
  const hotkeys = keys.map(([key, hotkey]) => ({ uid: numberOf(key.args[1]?.toJSON()), hotkey: hotkeyOf(hotkey) }))
  const pairs = hotkeys.map(({ hotkey }) => [`0x${hotkey}`, netuid])
  const stakes = await needEntry(state, 'subtensorModule', 'totalHotkeyAlpha').multi(pairs)
  return hotkeys
    .map(({ uid, hotkey }, i) => ({ uid, hotkey, stake: bigOf(stakes[i]?.toJSON()), permit: permits[uid] === true }))
    .toSorted((a, b) => a.uid - b.uid)
}

function hotkeyOfAddress(address: unknown): string {
  const hotkey = fromSs58(String(address))
  if (hotkey !== null) return hotkey
  throw new NodeError('CHAIN_FOREIGN', {
    what: 'the metagraph holds an address that cannot be read',
    why: `${String(address).slice(0, 60)} is not SS58 with the prefix of this chain`,
  })
}

export type SlotValue = { readonly hotkey: string; readonly bytes: string; readonly block: number }

/** What a hotkey committed to last, as the bytes of its first field. */
export async function readSlot(state: State, netuid: number, hotkey: string): Promise<SlotValue | null> {
  return slotOf(hotkey, await needEntry(state, 'commitments', 'commitmentOf')(netuid, `0x${hotkey}`))
}

export async function readSlots(state: State, netuid: number): Promise<readonly SlotValue[]> {
  const entries = await needEntry(state, 'commitments', 'commitmentOf').entries(netuid)
  return entries.flatMap(([key, value]) => {
    const [, account] = key.args
    return account === undefined ? [] : (slotOf(hotkeyOf(account), value) ?? [])
  })
}

/** Fields that are no raw bytes (timelocked ones, hashes of other programs) read as none. */
function slotOf(hotkey: string, value: Codec): SlotValue | null {
  const registration = value.toJSON() as { block?: unknown; info?: { fields?: unknown } } | null
  const [field] = listOf(registration?.info?.fields)
  if (typeof field !== 'object' || field === null) return null
  const [name, bytes] = Object.entries(field)[0] ?? []
  if (name === undefined || !/^(raw\d+|bigRaw)$/i.test(name)) return null
  const text = typeof bytes === 'string' && bytes.startsWith('0x') ? bytes.slice(2) : null
  return text === null ? null : { hotkey, bytes: text, block: numberOf(registration?.block) }
}

type EventRecord = {
  readonly phase: { readonly isApplyExtrinsic: boolean; readonly asApplyExtrinsic: { toNumber(): number } }
  readonly event: { readonly section: string; readonly method: string; readonly data: readonly Codec[] }
}

/**
 * By hotkey, the place in a block of the extrinsic that wrote its slot, whoever signed it and in whatever it was wrapped.
 * Empty where the events cannot be read any more, or not by us.
 */
export async function readCommitPlaces(
  api: ApiPromise,
  netuid: number,
  block: number,
): Promise<ReadonlyMap<string, number>> {
  const places = new Map<string, number>()
  for (const { phase, event } of await readEvents(api, block)) {
    if (!phase.isApplyExtrinsic || event.section !== 'commitments') continue
    if (event.method !== 'Commitment' && event.method !== 'TimelockCommitment') continue
    const [subnet, who] = event.data
    if (who === undefined || numberOf(subnet?.toJSON()) !== netuid) continue
    places.set(hotkeyOf(who), phase.asApplyExtrinsic.toNumber())
  }
  return places
}

async function readEvents(api: ApiPromise, block: number): Promise<readonly EventRecord[]> {
  try {
    const { at } = await stateAt(api, await hashAt(api, block))
    return [...(((await at.query['system']?.['events']?.()) ?? []) as unknown as Iterable<EventRecord>)]
  } catch (error) {
    // A connection that was lost says nothing about the block.
    if (error instanceof NodeError) throw error
    return []
  }
}

/** A validator's row of weights, and when it last set or committed one. */
export async function readWeightsRow(
  state: State,
  netuid: number,
  hotkey: string,
): Promise<{ readonly row: readonly UidWeight[]; readonly updated: number }> {
  const uid = await readUid(state, netuid, hotkey)
  if (uid === null) return { row: [], updated: 0 }
  const updates = listOf((await needEntry(state, 'subtensorModule', 'lastUpdate')(netuid)).toJSON())
  return { row: await readWeights(state, netuid, uid), updated: numberOf(updates[uid]) }
}

/** In which epoch the hash of weights was committed that are not revealed yet; `null` when it is not open. */
export async function readCommitEpoch(
  state: State,
  { netuid, hotkey, hash }: { readonly netuid: number; readonly hotkey: string; readonly hash: string },
): Promise<number | null> {
  const commits = await entryOf(state, 'subtensorModule', 'weightCommits')?.(netuid, `0x${hotkey}`)
  const row = listOf(commits?.toJSON())
    .map(listOf)
    .find(([each]) => each === `0x${hash}`)
  if (row === undefined) return null
  const [, committed] = row.map(numberOf)
  const tempo = await heightTempo(state, netuid)
  return tempo === null ? (committed ?? 0) : epochOfHeight(committed ?? 0, netuid, tempo)
}

/** Earlier runtimes count epochs by the height, shifted by the netuid; `null` on those that count them one by one. */
async function heightTempo(state: State, netuid: number): Promise<number | null> {
  if (entryOf(state, 'subtensorModule', 'subnetEpochIndex') !== null) return null
  return numberOf((await needEntry(state, 'subtensorModule', 'tempo')(netuid)).toJSON())
}

export const epochOfHeight = (block: number, netuid: number, tempo: number): number =>
  Math.floor((block + netuid + 1) / (tempo + 1))

/** Whether weights of a hotkey count. */
export async function readVoice(
  state: State,
  netuid: number,
  hotkey: string,
): Promise<{ readonly uid: number | null; readonly permit: boolean; readonly isOwner: boolean }> {
  const uid = await readUid(state, netuid, hotkey)
  const permits = listOf((await needEntry(state, 'subtensorModule', 'validatorPermit')(netuid)).toJSON())
  const owner = await entryOf(state, 'subtensorModule', 'subnetOwnerHotkey')?.(netuid)
  return {
    uid,
    permit: uid !== null && permits[uid] === true,
    isOwner: owner !== undefined && hotkeyOf(owner) === hotkey,
  }
}

export async function readWeights(state: State, netuid: number, uid: number): Promise<readonly UidWeight[]> {
  const row = listOf((await needEntry(state, 'subtensorModule', 'weights')(netuid, uid)).toJSON())
  return row.map((entry) => {
    const [to, weight] = listOf(entry)
    return [numberOf(to), numberOf(weight)] as const
  })
}

export type SubnetRules = {
  readonly uidCount: number
  readonly entriesMin: number
  readonly versionKey: bigint
  /** Blocks between two vectors of one validator. */
  readonly weightsRateLimit: number
  readonly commitReveal: boolean
  readonly revealPeriodEpochs: number
  readonly tempo: number
  /** How many epochs were. */
  readonly epoch: number
}

export async function readRules(state: State, netuid: number): Promise<SubnetRules> {
  const read = async (name: string): Promise<unknown> =>
    (await entryOf(state, 'subtensorModule', name)?.(netuid))?.toJSON()
  const [uidCount, entriesMin, versionKey, limit, commitReveal, period, tempo, index] = await Promise.all(
    [
      'subnetworkN',
      'minAllowedWeights',
      'weightsVersionKey',
      'weightsSetRateLimit',
      'commitRevealWeightsEnabled',
      'revealPeriodEpochs',
      'tempo',
      'subnetEpochIndex',
    ].map(read),
  )
  const height = async (): Promise<number> => numberOf((await needEntry(state, 'system', 'number')()).toJSON())
  return {
    uidCount: numberOf(uidCount),
    entriesMin: numberOf(entriesMin),
    versionKey: bigOf(versionKey),
    weightsRateLimit: numberOf(limit),
    commitReveal: commitReveal === true,
    revealPeriodEpochs: Math.max(1, numberOf(period)),
    tempo: numberOf(tempo),
    epoch: index === undefined ? epochOfHeight(await height(), netuid, numberOf(tempo)) : numberOf(index),
  }
}

/** What `commit_timelocked_weights` calls the payload and the cipher that we know. */
export const TIMELOCK_VERSION = 4

/** What the chain says about its epochs and its time, at one block. */
export type Timelock = {
  readonly block: number
  readonly nowMs: number
  /** The epochs of stateful schedulers begin a tempo after the last one, or sooner where one was asked for. */
  readonly lastEpochBlock: number | null
  readonly pendingEpochAt: number
  readonly lastRound: bigint
  readonly beacon: Beacon
}

/**
 * `null` when this chain does not take timelocked weights: it lacks the call, wants another version of it, or has never
 * stored a pulse, in which case nobody would ever open them.
 */
export async function readTimelock(
  api: ApiPromise,
  state: State,
  netuid: number,
  block: number,
): Promise<Timelock | null> {
  if (api.tx['subtensorModule']?.['commitTimelockedWeights'] === undefined) return null
  const read = async (pallet: string, name: string, ...keys: unknown[]): Promise<string | null> => {
    const value = await state.at.query[pallet]?.[name]?.(...keys)
    return value === undefined ? null : value.toString()
  }
  const [version, lastRound, now, lastEpoch, pending] = await Promise.all([
    read('subtensorModule', 'commitRevealWeightsVersion'),
    read('drand', 'lastStoredRound'),
    read('timestamp', 'now'),
    read('subtensorModule', 'lastEpochBlock', netuid),
    read('subtensorModule', 'pendingEpochAt', netuid),
  ])
  if (version !== String(TIMELOCK_VERSION) || now === null || BigInt(lastRound ?? 0) === 0n) return null
  return {
    block,
    nowMs: Number(now),
    lastEpochBlock: lastEpoch === null ? null : Number(lastEpoch),
    pendingEpochAt: Number(pending ?? 0),
    lastRound: BigInt(lastRound ?? 0),
    beacon: await readBeacon(state),
  }
}

const G2_BYTES = 96

/** Whose pulses the chain stores: quicknet's, where it does not say. */
async function readBeacon(state: State): Promise<Beacon> {
  const config = (await entryOf(state, 'drand', 'beaconConfig')?.())?.toJSON()
  const { publicKey, period, genesisTime } = (config ?? {}) as { readonly [field: string]: unknown }
  const key = typeof publicKey === 'string' ? withoutPrefix(publicKey) : ''
  if (key.length !== 2 * G2_BYTES) return QUICKNET
  return { publicKey: key, genesisMs: 1000 * numberOf(genesisTime), periodMs: 1000 * numberOf(period) }
}

export type SealedCommit = { readonly commit: string; readonly block: number }

/** The timelocked commits of a hotkey that are not revealed yet, as hex. */
export async function readSealed(state: State, netuid: number, hotkey: string): Promise<readonly SealedCommit[]> {
  const entries = await state.at.query['subtensorModule']?.['timelockedWeightCommits']?.entries(netuid)
  return (entries ?? []).flatMap(([, commits]) => {
    const rows = commits.toJSON() as unknown as readonly (readonly [string, unknown, string, unknown])[]
    return rows
      .filter(([who]) => fromSs58(who) === hotkey)
      .map(([, block, commit]) => ({ commit: commit.replace(/^0x/, ''), block: Number(block) }))
  })
}
