/**
 * Timelocked weights: what a vector is encrypted to, how, and when the chain will open it itself.
 *
 * Identity-based encryption after Boneh and Franklin on BLS12-381: a round of the drand beacon is the identity, and the
 * signature that the beacon publishes for it is its key. Layout and hashes are those of the crate `tle` that subtensor uses.
 * Decides the round from the chain's own state: nobody can read the vector before the epoch in which it counts.
 */
import { createCipheriv } from 'node:crypto'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { sha256 } from '@noble/hashes/sha2.js'
import type { ApiPromise } from '@polkadot/api'
import type { Random } from '../ports.ts'
import { fromSs58 } from '../protocol/hotkey.ts'
import { concat, hexBytes, toHex, utf8 } from '../util/bytes.ts'
import type { State } from './read.ts'

/** A drand network with its signatures in G1 and its key in G2. */
export type Beacon = {
  /** Hex. */
  readonly publicKey: string
  readonly genesisMs: number
  readonly periodMs: number
}

/** The network that subtensor stores pulses of: chain 52db9ba7…e971. */
export const QUICKNET: Beacon = {
  publicKey:
    '83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc2' +
    '2b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a',
  genesisMs: 1_692_803_367_000,
  periodMs: 3_000,
}

/** What `commit_timelocked_weights` calls this payload and this cipher. */
export const TIMELOCK_VERSION = 4

const DST = 'BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const CIPHER = utf8('AES_GCM_')
const FIELD_BYTES = 48

/** What drand signs for a round. */
function identityOf(round: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, round, false)
  return sha256(bytes)
}

/** The point whose multiple by the beacon's secret is the signature of a round. */
export const pointOf = (round: bigint) => bls12_381.G1.hashToCurve(identityOf(round), { DST })

/** Encrypts to a round: only its signature opens it. */
export function seal(message: Uint8Array, round: bigint, { beacon, random }: SealDeps): Uint8Array {
  const [sigma, secret, nonce] = [random.bytes(KEY_BYTES), random.bytes(KEY_BYTES), random.bytes(NONCE_BYTES)]
  const r = bls12_381.fields.Fr.create(BigInt(`0x${toHex(sha256(concat(sigma, secret)))}`))
  const master = bls12_381.G2.Point.fromBytes(hexBytes(beacon.publicKey))
  const shared = bls12_381.pairing(pointOf(round), master.multiply(r))
  const cipher = createCipheriv('aes-256-gcm', secret, nonce)
  const ciphertext = concat(cipher.update(message), cipher.final(), cipher.getAuthTag())
  return concat(
    bls12_381.G2.Point.BASE.multiply(r).toBytes(true),
    list(xor(sigma, sha256(pairingBytes(shared)))),
    list(xor(secret, sha256(sigma))),
    list(concat(list(ciphertext), list(nonce))),
    list(CIPHER),
  )
}
export type SealDeps = { readonly beacon: Beacon; readonly random: Random }

/** Its length before it, as a u64. */
const list = (bytes: Uint8Array): Uint8Array => concat(scaleU64(BigInt(bytes.length)), bytes)

const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ (b[i] as number))

/** The twelve numbers of a target group's element from the innermost pair outwards, the least byte first. */
function pairingBytes({ c0, c1 }: ReturnType<typeof bls12_381.pairing>): Uint8Array {
  const numbers = [c0, c1].flatMap((six) => [six.c0, six.c1, six.c2]).flatMap((two) => [two.c0, two.c1])
  return concat(...numbers.map((number) => hexBytes(number.toString(16).padStart(2 * FIELD_BYTES, '0')).reverse()))
}

export type Vector = {
  readonly hotkey: string
  readonly uids: readonly number[]
  readonly values: readonly number[]
  readonly versionKey: string
}

/** SCALE of (hotkey, uids, values, version key u64). The hotkey is inside, so that a copied commit serves nobody. */
export function payloadOf({ hotkey, uids, values, versionKey }: Vector): Uint8Array {
  const key = hexBytes(hotkey)
  return concat(scaleLength(key.length), key, scaleU16s(uids), scaleU16s(values), scaleU64(BigInt(versionKey)))
}

export function scaleU64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, value, true)
  return bytes
}

export function u16s(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(2 * values.length)
  const view = new DataView(bytes.buffer)
  for (const [i, value] of values.entries()) view.setUint16(2 * i, value, true)
  return bytes
}

export const scaleU16s = (values: readonly number[]): Uint8Array => concat(scaleLength(values.length), u16s(values))

/** SCALE's compact length: one byte below 64, two below 16,384. A row has at most as many entries as there are uids. */
const scaleLength = (length: number): Uint8Array =>
  length < 64 ? Uint8Array.of(4 * length) : Uint8Array.of(((length & 63) << 2) | 1, length >> 6)

/** What the chain says about its epochs and its time, at one block. */
export type Timelock = {
  readonly block: number
  readonly nowMs: number
  /** The epochs of stateful schedulers begin a tempo after the last one, or sooner where one was asked for. */
  readonly lastEpochBlock: number | null
  readonly pendingEpochAt: number
  readonly lastRound: bigint
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
  }
}

/** The epoch has begun for certain, and most of it is left for a pulse that comes late. */
const MARGIN_BLOCKS = 3

export type Schedule = { readonly netuid: number; readonly tempo: number; readonly revealPeriodEpochs: number }

/** The first block of the epoch in which a commit of block `at` is revealed. */
export function revealBlock(
  { netuid, tempo, revealPeriodEpochs }: Schedule,
  { lastEpochBlock, pendingEpochAt }: Pick<Timelock, 'lastEpochBlock' | 'pendingEpochAt'>,
  at: number,
): number {
  if (lastEpochBlock === null) {
    // Earlier runtimes derive the epoch from the height, shifted by the netuid.
    const epoch = Math.floor((at + netuid + 1) / (tempo + 1))
    return (epoch + revealPeriodEpochs) * (tempo + 1) - (netuid + 1)
  }
  const regular = lastEpochBlock + tempo
  const next = pendingEpochAt > 0 ? Math.min(pendingEpochAt, regular) : regular
  const isLater = tempo > 0 && next <= at
  const following = isLater ? next + tempo * (1 + Math.floor((at - next) / tempo)) : next
  return following + (revealPeriodEpochs - 1) * tempo
}

/** The round whose pulse comes when that epoch has just begun; one that is not over in any case. */
export function revealRound(
  schedule: Schedule,
  timelock: Timelock,
  { at, blockMs, beacon }: { readonly at: number; readonly blockMs: number; readonly beacon: Beacon },
): bigint {
  const margin = Math.min(MARGIN_BLOCKS, Math.floor(schedule.tempo / 2))
  const blocks = revealBlock(schedule, timelock, at) + margin - timelock.block
  const ms = timelock.nowMs + blocks * blockMs - beacon.genesisMs
  const round = BigInt(Math.max(1, Math.floor(ms / beacon.periodMs)))
  return round > timelock.lastRound ? round : timelock.lastRound + 1n
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
