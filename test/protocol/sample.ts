/**
 * Small valid documents of every kind, as plain values that never change: the tests of the wire alter one field at a time,
 * and the golden vectors are made of them. Whoever alters a value here must run test/fixtures/protocol/make-wire.ts.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha256 } from '@noble/hashes/sha2.js'
import * as sr25519 from '@scure/sr25519'
import { cidOf, encode, rawCidOf } from '../../src/protocol/codec.ts'
import { bitmapOf, commitmentHash, encodeRecord, type SlotRecord, saltInput } from '../../src/protocol/commitment.ts'
import { type Constitution, constitutionCid, encodeConstitution, networkOf } from '../../src/protocol/constitution.ts'
import { type Envelope, MESSAGE_KINDS, type MessageKind, type Sign, seal } from '../../src/protocol/envelope.ts'
import { type Bodies, MESSAGE_RULES, recordMessageShape } from '../../src/protocol/gossip.ts'
import {
  encodeModel,
  encodePage,
  encodeSubmission,
  type ModelManifest,
  modelCid,
  type Submission,
} from '../../src/protocol/manifest.ts'
import { cardShape, type PeerCard, peerClaim, peerIdOf } from '../../src/protocol/peer-card.ts'
import { type Founding, found, type PresetName } from '../../src/protocol/preset.ts'
import { encodeReport, type Report, reportCid, reportMessageShape } from '../../src/protocol/report.ts'
import { revealShape } from '../../src/protocol/reveal.ts'
import { encodeRoot, genesisRoot, type Root, rootCid } from '../../src/protocol/root.ts'
import type { Shape } from '../../src/protocol/schema.ts'
import { openingShape, type Shard, sequenceOf, shardShape } from '../../src/protocol/shard.ts'
import { type Snapshot, snapshotOf } from '../../src/protocol/snapshot.ts'
import { tensorDigest } from '../../src/protocol/tensor.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'

export const cidOfText = (text: string): string => rawCidOf(utf8(text))
const documentOf = (text: string): string => cidOf(utf8(text))
const hexOf = (text: string): string => toHex(sha256(utf8(text)))

export type Keys = {
  readonly hotkey: string
  readonly sign: Sign
  readonly peerId: string
  /** The Ed25519 secret behind the peer id. */
  readonly peerSecret: Uint8Array
}

/** The keys of a name, always the same. Signing draws the same randomness every time, so that signatures can be golden. */
export function keysOf(name: string): Keys {
  const secret = sr25519.secretFromSeed(sha256(utf8(`hotkey of ${name}`)))
  const peerSecret = sha256(utf8(`peer of ${name}`))
  return {
    hotkey: toHex(sr25519.getPublicKey(secret)),
    sign: (message) => sr25519.sign(secret, message, sha256(utf8(`randomness of ${name}`))),
    peerId: peerIdOf(ed25519.getPublicKey(peerSecret)),
    peerSecret,
  }
}
export const alice = keysOf('alice')
export const bob = keysOf('bob')
export const carol = keysOf('carol')

export const foundingOf = (preset: PresetName): Founding => ({
  preset,
  chain: { genesis: '2f'.repeat(32), netuid: 7, startBlock: 1_000 },
  model: { genesis: documentOf('model'), compute: 'f32', graph: 1, vocabulary: 512, sequenceTokens: 8 },
  domains: [
    { name: 'code', pool: documentOf('pool of code') },
    { name: 'law', pool: null },
  ],
  groups: [
    { name: 'code-a', domain: 'code', value: 3, seats: 8, tensors: ['layers.0.experts.0.up', 'layers.0.experts.1.up'] },
    { name: 'law-a', domain: 'law', value: 1, seats: 4, tensors: ['layers.0.experts.2.up'] },
  ],
  router: { everyCycles: 10, tensors: ['layers.0.gate'] },
  burnUid: 0,
  submissionBytes: 64 * 1024 * 1024,
})
export const constitution = found(foundingOf('local'))
export const network = networkOf(constitution)

/** A second track with other names and tensors; the two share the rewards. */
export function withTwoTracks(base: Constitution): Constitution {
  const [first] = base.tracks
  if (first === undefined) throw new Error('a constitution has a track')
  const second = {
    ...first,
    name: 'more',
    sharePpm: 400_000,
    domains: [{ name: 'biology', pool: null }],
    groups: [{ name: 'biology-a', domain: 'biology', value: 5, seats: 2, tensors: ['layers.1.experts.0.up'] }],
    router: { everyCycles: 10, tensors: ['layers.1.gate'] },
  }
  return { ...base, tracks: [{ ...first, sharePpm: 600_000 }, second] }
}

/** An amendment as it is adopted: names its predecessor and starts where a cycle of it starts. */
export function amendmentOf(current: Constitution, cycle: number, change: Partial<Constitution> = {}): Constitution {
  const length = Object.values(current.windows).reduce((sum, blocks) => sum + blocks, 0)
  const block = current.start.block + (cycle - current.start.cycle) * length
  return { ...current, predecessor: constitutionCid(current), start: { block, cycle }, ...change }
}

export const CYCLE = 4
export const CARD_BLOCK = 1_300

export function cardOf(keys: Keys, change: Partial<Omit<PeerCard, 'proof'>> = {}): PeerCard {
  const card = {
    peerId: keys.peerId,
    addresses: ['/ip4/8.8.4.4/tcp/4001', '/dns4/peer.wheelwright.net/tcp/443/wss'],
    expires: CARD_BLOCK + 60,
    sequence: 3,
    ...change,
  }
  return { ...card, proof: ed25519.sign(peerClaim(network, keys.hotkey, card), keys.peerSecret) }
}

export function sealed<K extends MessageKind>(kind: K, keys: Keys, body: Bodies[K], cycle = CYCLE): Uint8Array {
  const head: Pick<Envelope, 'kind' | 'cycle' | 'hotkey'> = { kind, cycle, hotkey: keys.hotkey }
  return seal(network, head, MESSAGE_RULES[kind].shape as Shape<Bodies[K]>, body, keys.sign)
}

export const genesis: Root = genesisRoot(constitution)
export const base = rootCid(genesis)

const tensorOf = (name: string, bytes: Uint8Array) => ({
  name,
  dtype: 'BF16' as const,
  shape: [2, bytes.length / 4],
  bytes: bytes.length,
  sha256: toHex(tensorDigest('BF16', [2, bytes.length / 4], bytes)),
  cid: rawCidOf(bytes),
})

export const submission: Submission = {
  network: network.constitution,
  cycle: CYCLE,
  group: 'code-a',
  base,
  hotkey: alice.hotkey,
  encoding: 'values',
  tensors: [
    tensorOf(
      'layers.0.experts.0.up',
      Uint8Array.from({ length: 16 }, (_, i) => i),
    ),
    tensorOf(
      'layers.0.experts.1.up',
      Uint8Array.from({ length: 16 }, (_, i) => 16 + i),
    ),
  ],
}
export const submissionCid = cidOf(encodeSubmission(submission))
export const page = { tensors: submission.tensors }
export const model: ModelManifest = {
  files: [{ name: 'config.json', bytes: 2, cid: cidOfText('{}') }],
  parts: ['code-a', 'hub', 'law-a', 'router'].map((name) => ({ name, pages: [documentOf(`page of ${name}`)] })),
}

export const shard: Shard = {
  network: network.constitution,
  cycle: CYCLE,
  domain: 'code',
  salt: hexOf('salt of a shard'),
  sequences: [sequenceOf([0, 1, 2, 3, 4, 5, 6, 511]), sequenceOf([7, 7, 7, 7, 7, 7, 7, 7])],
}
export const shardCid = cidOf(encode(shardShape, shard))

export const salt = hexOf('salt of a report')
export const snapshot: Snapshot = snapshotOf(
  CYCLE,
  [bob, carol].map(({ hotkey }, uid) => ({
    hotkey,
    uid,
    stake: 21_000_000_000_000_001n + BigInt(uid),
    permit: true,
    slot: { kind: 'report', cycle: CYCLE - 1, hash: hexOf('report'), root: base },
  })),
)

export const report: Report = {
  network: network.constitution,
  cycle: CYCLE,
  base,
  rows: [
    {
      hotkey: alice.hotkey,
      group: 'code-a',
      manifest: submissionCid,
      salt: hexOf('salt of a submission'),
      score: 4_000_000,
      marginal: 3_000_000,
      reason: null,
    },
    {
      hotkey: 'ff'.repeat(32),
      group: 'law-a',
      manifest: documentOf('another manifest'),
      salt: hexOf('salt of another submission'),
      score: 0,
      marginal: 0,
      reason: 'ROUTER_OUTDONE',
    },
  ],
  losses: [{ group: 'code-a', before: 3_200_000_000, after: 3_100_000_000 }],
  shards: bitmapOf([0, 1]),
  seals: [
    { domain: 'code', shard: documentOf('next shard of code') },
    { domain: 'law', shard: documentOf('next shard of law') },
  ],
  amendment: null,
}

export const root: Root = {
  network: network.constitution,
  constitution: network.constitution,
  cycle: CYCLE,
  previous: base,
  model: modelCid(model),
  blocks: { report: hexOf('block A'), attest: hexOf('block B') },
  rows: report.rows,
  rewards: [{ hotkey: alice.hotkey, reward: 750_000_000 }],
  burned: 250_000_000,
  groups: [
    { group: 'code-a', best: [4_000_000], merged: [3_000_000], epsilon: 400_000, reference: 3_000_000 },
    { group: 'law-a', best: [0], merged: [0], epsilon: 100_000, reference: 1_000_000 },
  ],
  routerRoot: base,
  amendment: null,
}

const reportHash = commitmentHash(network, {
  cycle: CYCLE,
  kind: 'report',
  hotkey: bob.hotkey,
  content: reportCid(report),
  salt,
})
const submissionHash = commitmentHash(network, {
  cycle: CYCLE,
  kind: 'submission',
  hotkey: alice.hotkey,
  content: submissionCid,
  salt: hexOf('salt of a submission'),
})
const rooted = { cycle: CYCLE, hash: reportHash, root: base }

/** One record of every kind. */
export const records: readonly SlotRecord[] = [
  { kind: 'submission', cycle: CYCLE, hash: submissionHash },
  { kind: 'router', cycle: CYCLE, hash: hexOf('routing rows'), root: base },
  { kind: 'report', ...rooted },
  { kind: 'attest', ...rooted, bitmap: bitmapOf([0, 1]) },
  { kind: 'root', cycle: CYCLE, base, root: rootCid(root), bitmap: bitmapOf([0, 1]) },
]

/** One body of every kind. */
export const bodies: Bodies = {
  card: cardOf(alice),
  reveal: {
    kind: 'submission',
    manifest: submissionCid,
    salt: hexOf('salt of a submission'),
    card: sealed('card', alice, cardOf(alice)),
  },
  shard: { domain: 'code', shard: shardCid },
  report: { salt, report: encodeReport(report) },
  record: { record: encodeRecord(network, { kind: 'report', ...rooted }) },
}
/** Miners reveal, validators say the rest. */
export const speakerOf = (kind: MessageKind): Keys => (kind === 'card' || kind === 'reveal' ? alice : bob)

const vectorOf = (bytes: Uint8Array) => ({ hex: toHex(bytes), cid: cidOf(bytes) })

/** The bytes of one document of every kind: the golden vectors of test/fixtures/protocol/wire.json. */
export function wireVectors() {
  return {
    network,
    hotkeys: { alice: alice.hotkey, bob: bob.hotkey },
    documents: {
      constitution: vectorOf(encodeConstitution(constitution)),
      amendment: vectorOf(encodeConstitution(withTwoTracks(amendmentOf(constitution, 12)))),
      card: vectorOf(encode(cardShape, bodies.card)),
      reveal: vectorOf(encode(revealShape, bodies.reveal)),
      opening: vectorOf(encode(openingShape, bodies.shard)),
      report: vectorOf(encodeReport(report)),
      reportMessage: vectorOf(encode(reportMessageShape, bodies.report)),
      recordMessage: vectorOf(encode(recordMessageShape, bodies.record)),
      submission: vectorOf(encodeSubmission(submission)),
      page: vectorOf(encodePage(page)),
      model: vectorOf(encodeModel(model)),
      shard: vectorOf(encode(shardShape, shard)),
      genesisRoot: vectorOf(encodeRoot(genesis)),
      root: vectorOf(encodeRoot(root)),
    },
    records: Object.fromEntries(records.map((slot) => [slot.kind, toHex(encodeRecord(network, slot))])),
    commitments: { submission: submissionHash, report: reportHash },
    saltInput: toHex(saltInput(network, CYCLE, 'report')),
    peerClaim: toHex(peerClaim(network, alice.hotkey, bodies.card)),
    envelopes: Object.fromEntries(
      MESSAGE_KINDS.map((kind) => [kind, toHex(sealed(kind, speakerOf(kind), bodies[kind]))]),
    ),
  }
}
