import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import { decode } from '../../src/protocol/codec.ts'
import { decodeRecord } from '../../src/protocol/commitment.ts'
import { decodeConstitution } from '../../src/protocol/constitution.ts'
import { isSigned, MESSAGE_KINDS, openEnvelope, verifySr25519 } from '../../src/protocol/envelope.ts'
import { MESSAGE_RULES, readBody, recordMessageShape } from '../../src/protocol/gossip.ts'
import { decodeModel, decodePage, decodeSubmission } from '../../src/protocol/manifest.ts'
import { cardShape } from '../../src/protocol/peer-card.ts'
import { decodeReport, reportMessageShape } from '../../src/protocol/report.ts'
import { revealShape } from '../../src/protocol/reveal.ts'
import { decodeRoot } from '../../src/protocol/root.ts'
import { Flaw, type Shape } from '../../src/protocol/schema.ts'
import { decodeShard, openingShape } from '../../src/protocol/shard.ts'
import { hexBytes } from '../../src/util/bytes.ts'
import golden from '../fixtures/protocol/wire.json' with { type: 'json' }
import {
  amendmentOf,
  base,
  bodies,
  constitution,
  genesis,
  model,
  network,
  page,
  records,
  report,
  root,
  shard,
  snapshot,
  speakerOf,
  submission,
  wireVectors,
  withTwoTracks,
} from './sample.ts'

type Name = keyof typeof golden.documents
const names = Object.keys(golden.documents) as Name[]
const vectors = wireVectors()

test('the golden vectors are of this network', () => {
  expect(golden.network).toEqual(network)
  expect(golden.hotkeys).toEqual(vectors.hotkeys)
  expect(names).toEqual(Object.keys(vectors.documents))
})

describe('every document has its bytes and its CID', () => {
  test.each(names)('%s', (name) => expect(vectors.documents[name]).toEqual(golden.documents[name]))

  test.each(names)('the CID of a %s is of dag-cbor and the SHA-256 of its bytes', (name) => {
    const { hex, cid } = golden.documents[name]
    const digest = createHash('sha256').update(hex, 'hex').digest('hex')
    expect(CID.decode(hexBytes(`01711220${digest}`)).toString()).toBe(cid)
  })
})

const shardTerms = { ...shard, network: network.constitution, sequenceTokens: 8, vocabulary: 512 }
const of =
  <T>(shape: Shape<T>) =>
  (bytes: Uint8Array) =>
    decode(shape, bytes, bytes.length)
const readers: { readonly [N in Name]: readonly [read: (bytes: Uint8Array) => unknown, value: unknown] } = {
  constitution: [decodeConstitution, constitution],
  amendment: [decodeConstitution, withTwoTracks(amendmentOf(constitution, 12))],
  card: [of(cardShape), bodies.card],
  reveal: [of(revealShape), bodies.reveal],
  opening: [of(openingShape), bodies.shard],
  report: [(bytes) => decodeReport({ network, constitution, snapshot, base }, bytes), report],
  reportMessage: [of(reportMessageShape), bodies.report],
  recordMessage: [of(recordMessageShape), bodies.record],
  submission: [decodeSubmission, submission],
  page: [decodePage, page],
  model: [decodeModel, model],
  shard: [(bytes) => decodeShard(shardTerms, bytes), shard],
  genesisRoot: [decodeRoot, genesis],
  root: [decodeRoot, root],
}
test.each(names)('the golden bytes of a %s say what was meant', (name) => {
  const [read, value] = readers[name]
  expect(read(hexBytes(golden.documents[name].hex))).toEqual(value)
})

test.each(names)('no byte of a %s can be lost or doubled', (name) => {
  const [read] = readers[name]
  const bytes = hexBytes(golden.documents[name].hex)
  expect(read(bytes.subarray(0, -1))).toBeInstanceOf(Flaw)
  expect(read(Uint8Array.of(...bytes, 0))).toBeInstanceOf(Flaw)
})

test.each(records.map((slot) => [slot.kind, slot] as const))('the record %s has its bytes', (kind, slot) => {
  const hex = (golden.records as Readonly<Record<string, string>>)[kind] ?? ''
  expect(vectors.records[kind]).toBe(hex)
  expect(decodeRecord(network, hexBytes(hex))).toEqual(slot)
})

test.each(MESSAGE_KINDS)('the envelope of a %s has its bytes, and its signature holds', (kind) => {
  expect(vectors.envelopes[kind]).toBe(golden.envelopes[kind])
  const envelope = openEnvelope(hexBytes(golden.envelopes[kind]))
  if (envelope instanceof Flaw) throw new Error(envelope.problem)
  expect(envelope.hotkey).toBe(speakerOf(kind).hotkey)
  expect(readBody(kind, envelope)).toMatchObject({ kind, body: bodies[kind] })
  expect(isSigned(network, envelope, verifySr25519)).toBe(true)
})

test('commitments, salts and claims have their bytes', () => {
  expect(vectors.commitments).toEqual(golden.commitments)
  expect(vectors.saltInput).toBe(golden.saltInput)
  expect(vectors.peerClaim).toBe(golden.peerClaim)
})

test('every kind of message has a golden envelope', () => {
  expect(Object.keys(golden.envelopes)).toEqual(Object.keys(MESSAGE_RULES))
})
