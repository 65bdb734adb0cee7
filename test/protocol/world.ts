/**
 * A small valid world for the tests of the law: one constitution, four validators, two miners, and whatever one cycle of
 * theirs leaves behind. Everything is a plain value, so that a test changes one field and sees what follows.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import * as sr25519 from '@scure/sr25519'
import { rawCidOf } from '../../src/protocol/codec.ts'
import { type CommitmentKind, commitmentHash, EMPTY_BITMAP, NO_HASH } from '../../src/protocol/commitment.ts'
import { networkOf } from '../../src/protocol/constitution.ts'
import { type MessageKind, type Sign, seal, verifySr25519 } from '../../src/protocol/envelope.ts'
import { type Bodies, MESSAGE_RULES, type View } from '../../src/protocol/gossip.ts'
import type { ModelManifest, Submission, TensorEntry, TensorPage } from '../../src/protocol/manifest.ts'
import { cardShape, type PeerCard, peerClaim, peerIdOf } from '../../src/protocol/peer-card.ts'
import { found } from '../../src/protocol/preset.ts'
import { encodeReport, type Report, type ReportRow, type ReportTerms, reportCid } from '../../src/protocol/report.ts'
import type { Reveal } from '../../src/protocol/reveal.ts'
import { genesisRoot, type Root, rootCid } from '../../src/protocol/root.ts'
import type { Shape } from '../../src/protocol/schema.ts'
import { type Shard, sequenceOf } from '../../src/protocol/shard.ts'
import { type Snapshot, snapshotOf } from '../../src/protocol/snapshot.ts'
import { tensorDigest } from '../../src/protocol/tensor.ts'
import { HUB, ROUTER } from '../../src/protocol/track.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'

/** mulberry32: small, seeded, good enough to choose faults. */
export type Random = { readonly unit: () => number; readonly below: (limit: number) => number }

export function createRandom(seed: number): Random {
  let state = seed | 0
  const unit = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return { unit, below: (limit) => Math.floor(unit() * limit) }
}

export const cidOfText = (text: string): string => rawCidOf(utf8(text))
/** 64 hex digits that stand for a hotkey nobody signs with; ordered like the numbers. */
export const hexOf = (number: number, byte = 0): string =>
  number.toString(16).padStart(8, '0').padEnd(64, toHexByte(byte))
const toHexByte = (byte: number): string => byte.toString(16).padStart(2, '0')

export type Key = { readonly hotkey: string; readonly sign: Sign; readonly peer: Uint8Array }

/** Deterministic, the randomness of signing included. */
export function keyOf(number: number): Key {
  const secret = sr25519.secretFromSeed(new Uint8Array(32).fill(number))
  const hotkey = toHex(sr25519.getPublicKey(secret))
  const sign: Sign = (message) => sr25519.sign(secret, message, new Uint8Array(32).fill(number))
  return { hotkey, sign, peer: new Uint8Array(32).fill(128 + number) }
}
const byHotkey = (a: Key, b: Key): number => (a.hotkey < b.hotkey ? -1 : 1)

/** In the order of their places in the snapshot. */
export const VALIDATOR_KEYS = [1, 2, 3, 4].map(keyOf).sort(byHotkey)
export const MINER_KEYS = [5, 6].map(keyOf).sort(byHotkey)
export const validatorKey = (place: number): Key => VALIDATOR_KEYS[place] as Key
export const minerKey = (place: number): Key => MINER_KEYS[place] as Key

export const CYCLE = 7
export const ROUTER_CYCLE = 8
export const DOMAINS = ['code', 'law'] as const

export const constitution = found({
  preset: 'local',
  chain: { genesis: 'ab'.repeat(32), netuid: 2, startBlock: 100 },
  model: { genesis: cidOfText('genesis model'), compute: 'f32', graph: 1, vocabulary: 256, sequenceTokens: 4 },
  domains: DOMAINS.map((name) => ({ name, pool: null })),
  groups: [
    { name: 'code', domain: 'code', value: 3, seats: 4, tensors: ['code.0.weight', 'code.1.weight'] },
    { name: 'law', domain: 'law', value: 1, seats: 4, tensors: ['law.0.weight'] },
  ],
  router: { everyCycles: 4, tensors: ['router.weight'] },
  burnUid: 0,
  submissionBytes: 1_000_000,
})
export const network = networkOf(constitution)

/** A snapshot of these stakes, the validators being in the order of the list. */
export function snapshotWith(stakes: readonly bigint[], cycle = CYCLE): Snapshot {
  const standing = cidOfText('root')
  const slot = { kind: 'root', cycle: cycle - 1, base: standing, root: standing, bitmap: EMPTY_BITMAP } as const
  const candidates = stakes.map((stake, uid) => ({ hotkey: hexOf(uid + 1), uid, stake, permit: true, slot }))
  return snapshotOf(cycle, candidates)
}

export const snapshot = snapshotOf(
  CYCLE,
  VALIDATOR_KEYS.map(({ hotkey }, uid) => ({
    hotkey,
    uid,
    stake: 100n + BigInt(uid),
    permit: true,
    slot: { kind: 'report', cycle: CYCLE - 1, hash: NO_HASH, root: cidOfText('root') },
  })),
)

export function tensorNamed(name: string, value = 1): TensorEntry {
  const bytes = new Uint8Array(Float32Array.of(value, value + 1, value + 2, value + 3).buffer)
  const shape = [2, 2]
  return {
    name,
    dtype: 'F32',
    shape,
    bytes: bytes.length,
    sha256: toHex(tensorDigest('F32', shape, bytes)),
    cid: rawCidOf(bytes),
  }
}

export const pageOf = (part: string, value = 1): TensorPage => ({
  tensors: [tensorNamed(`${part}.0.weight`, value), tensorNamed(`${part}.1.weight`, value + 10)],
})

export const model: ModelManifest = {
  files: [{ name: 'config.json', bytes: 2, cid: cidOfText('{}') }],
  parts: ['code', HUB, 'law', ROUTER].map((name) => ({ name, pages: [cidOfText(`page of ${name}`)] })),
}

export const base: Root = genesisRoot(constitution)
export const baseCid = rootCid(base)

export const submissionOf = (key: Key, change: Partial<Submission> = {}): Submission => ({
  network: network.constitution,
  cycle: CYCLE,
  group: 'code',
  base: baseCid,
  hotkey: key.hotkey,
  encoding: 'values',
  tensors: [tensorNamed('code.0.weight', 3), tensorNamed('code.1.weight', 4)],
  ...change,
})

export const rowOf = (hotkey: string, change: Partial<ReportRow> = {}): ReportRow => ({
  hotkey,
  group: 'code',
  manifest: cidOfText(`manifest of ${hotkey}`),
  salt: '5a'.repeat(32),
  score: 2_000_000,
  marginal: 1_000_000,
  reason: null,
  ...change,
})
export const refused = { score: 0, marginal: 0, reason: 'LOSS_NOT_LOWER' } as const

const inOrder = (rows: readonly ReportRow[]): readonly ReportRow[] =>
  rows.toSorted((a, b) => (a.hotkey < b.hotkey ? -1 : 1))

export const reportWith = (rows: readonly ReportRow[], change: Partial<Report> = {}): Report => ({
  network: network.constitution,
  cycle: CYCLE,
  base: baseCid,
  rows: inOrder(rows),
  losses: [
    { group: 'code', before: 3_000_000_000, after: 2_990_000_000 },
    { group: 'law', before: 3_100_000_000, after: 3_100_000_000 },
  ],
  shards: EMPTY_BITMAP,
  seals: DOMAINS.map((domain) => ({ domain, shard: cidOfText(`shard of ${domain}`) })),
  amendment: null,
  ...change,
})
export const report = reportWith([rowOf(minerKey(0).hotkey), rowOf(minerKey(1).hotkey, { group: 'law', ...refused })])

/** As large as a full set of seats. */
export const fullReport = reportWith(Array.from({ length: 256 }, (_, i) => rowOf(hexOf(i, 0xcc))))

export const terms: ReportTerms = { network, constitution, snapshot, base: baseCid }

export const shard: Shard = {
  network: network.constitution,
  cycle: CYCLE,
  domain: 'code',
  salt: '11'.repeat(32),
  sequences: Array.from({ length: 16 }, (_, i) => sequenceOf([i, i + 1, i + 2, i + 3])),
}

export const SALT = '77'.repeat(32)
export const BLOCK = 500

export function cardOf(key: Key, change: Partial<PeerCard> = {}): PeerCard {
  const claim = { expires: BLOCK + 100, sequence: 1, ...change }
  return {
    peerId: peerIdOf(ed25519.getPublicKey(key.peer)),
    addresses: ['/ip4/127.0.0.1/tcp/4001'],
    proof: ed25519.sign(peerClaim(network, key.hotkey, claim), key.peer),
    ...claim,
  }
}

/** A message of any kind in its signed envelope. */
export function sealed<K extends MessageKind>(kind: K, key: Key, body: Bodies[K], cycle = CYCLE): Uint8Array {
  const shape = MESSAGE_RULES[kind].shape as Shape<Bodies[K]>
  return seal(network, { kind, cycle, hotkey: key.hotkey }, shape, body, key.sign)
}

export const sealedCard = (key: Key, card = cardOf(key)): Uint8Array =>
  seal(network, { kind: 'card', cycle: CYCLE, hotkey: key.hotkey }, cardShape, card, key.sign)

export const revealOf = (key: Key, change: Partial<Reveal> = {}): Reveal => ({
  kind: 'submission',
  manifest: cidOfText(`manifest of ${key.hotkey}`),
  salt: SALT,
  card: sealedCard(key),
  ...change,
})

export const hashOf = (kind: CommitmentKind, key: Key, content: string, cycle = CYCLE): string =>
  commitmentHash(network, { cycle, kind, hotkey: key.hotkey, content, salt: SALT })

/** What a node knows when every window of the cycle is final: each of the sample messages is accepted. */
export const view: View = {
  network,
  cycle: CYCLE,
  block: BLOCK,
  cardBlocksMax: constitution.limits.cardBlocks,
  privateAllowed: true,
  registered: new Set([...VALIDATOR_KEYS, ...MINER_KEYS].map(({ hotkey }) => hotkey)),
  validators: new Set(VALIDATOR_KEYS.map(({ hotkey }) => hotkey)),
  cards: new Map(),
  cardsHeard: new Map(),
  commitments: new Map(
    MINER_KEYS.map((key) => [
      key.hotkey,
      { kind: 'submission', cycle: CYCLE, hash: hashOf('submission', key, revealOf(key).manifest) },
    ]),
  ),
  reveals: new Set<string>(),
  open: true,
  seals: new Map([[validatorKey(0).hotkey, new Map([['code', cidOfText('sealed')]])]]),
  openings: new Set<string>(),
  terms,
  hashes: new Map(VALIDATOR_KEYS.map((key) => [key.hotkey, hashOf('report', key, reportCid(report))])),
  reports: new Set<string>(),
  records: new Set<string>(),
  verify: verifySr25519,
}

export const reportMessage = { salt: SALT, report: encodeReport(report) }
