/**
 * What the law costs: decoding, verifying and judging messages, and certifying a cycle of 64 validators and 256 miners.
 *
 * Each figure says what it includes. "From bytes" begins with what the network hands over: envelope and body are decoded,
 * written again and compared. "Decoded" is the judgement alone, as it is asked again when a window has become final. A
 * report's judgement always hashes the body and decodes the report inside it, once: that is most of its time.
 */
import { certify, tally } from '../src/protocol/agreement.ts'
import { bitmapOf } from '../src/protocol/commitment.ts'
import { type Envelope, isSigned, openEnvelope, verifySr25519 } from '../src/protocol/envelope.ts'
import { judgeBody, judgeMessage, type Message, readBody, type View } from '../src/protocol/gossip.ts'
import { decodeReport, encodeReport, type Report, reportCid } from '../src/protocol/report.ts'
import * as world from '../test/protocol/world.ts'
import type { Case } from './harness.ts'

const VALIDATORS = 64
const MINERS = 256

const { CYCLE, validatorKey, minerKey } = world

function messageCases(): readonly Case[] {
  const author = validatorKey(0)
  const body = encodeReport(world.fullReport)
  const bytes = world.sealed('report', author, { salt: world.SALT, report: body })
  const hash = world.hashOf('report', author, reportCid(world.fullReport))
  // Signatures have a case of their own.
  const view: View = { ...world.view, hashes: new Map([[author.hotkey, hash]]), verify: () => true }
  const known: View = { ...view, reports: new Set([author.hotkey]) }
  const envelope = openEnvelope(bytes) as Envelope
  const message = readBody('report', envelope) as Message

  const miner = minerKey(0)
  const revealBytes = world.sealed('reveal', miner, world.revealOf(miner))
  const carded: View = { ...view, cards: new Map([[miner.hotkey, { sequence: 1 }]]) }
  const reveal = readBody('reveal', openEnvelope(revealBytes) as Envelope) as Message
  const opening = { domain: 'code', shard: world.cidOfText('sealed') }
  const shardBytes = world.sealed('shard', author, opening)
  const shard = readBody('shard', openEnvelope(shardBytes) as Envelope) as Message

  const test = (name: string, includes: string, run: () => unknown, target: number | null = null): Case => {
    return { name, includes, target, run }
  }
  return [
    test('decode report', `${body.length} bytes, 256 rows, canonical form compared, checked against the terms`, () =>
      decodeReport(world.terms, body),
    ),
    test('verify report', 'sr25519, with the hash of the body', () => isSigned(world.network, envelope, verifySr25519)),
    test('judge report', 'from bytes, without signature: three decodings, two hashes', () =>
      judgeMessage(view, 'report', bytes),
    ),
    test('judge report, decoded', 'hash of the body against the commitment, and the report inside decoded', () =>
      judgeBody(view, message),
    ),
    test('judge report, known', 'decoded: the judgement of a repetition', () => judgeBody(known, message)),
    test('judge reveal', 'from bytes, without signature, the card inside decoded and known', () =>
      judgeMessage(carded, 'reveal', revealBytes),
    ),
    test(
      'judge reveal, decoded',
      'commitment hash; the card inside decoded and known',
      () => judgeBody(carded, reveal),
      20,
    ),
    test('judge reveal, new card', 'the same with the Ed25519 proof of a card not seen before', () =>
      judgeBody(view, reveal),
    ),
    test('judge shard', 'from bytes, without signature', () => judgeMessage(view, 'shard', shardBytes)),
    test('judge shard, decoded', 'the seal looked up', () => judgeBody(view, shard), 20),
  ]
}

function agreementCases(): readonly Case[] {
  const random = world.createRandom(1)
  const stakes = Array.from({ length: VALIDATORS }, () => BigInt(1_000 + random.below(1_000_000)) * 10n ** 12n)
  const snapshot = world.snapshotWith(stakes, CYCLE)
  const rows = () =>
    Array.from({ length: MINERS }, (_, i) => {
      const score = 1_000_000 + random.below(1_000_000)
      const measured = { score, marginal: score >> 1 }
      return world.rowOf(world.hexOf(i, 0xcc), random.below(5) === 0 ? world.refused : measured)
    })
  const reports = new Map(snapshot.validators.map(({ hotkey }): [string, Report] => [hotkey, world.reportWith(rows())]))
  const hashes = new Map(snapshot.validators.map(({ hotkey }) => [hotkey, hotkey]))
  const bitmaps = new Map(snapshot.validators.map(({ hotkey }) => [hotkey, bitmapOf(snapshot.validators.keys())]))
  const counted = tally(snapshot, hashes, bitmaps)
  return [
    {
      name: 'tally',
      includes: `${VALIDATORS} bitmaps over ${VALIDATORS} reports`,
      target: null,
      run: () => tally(snapshot, hashes, bitmaps),
    },
    {
      name: 'certify',
      includes: `${VALIDATORS} validators, ${MINERS} miners: ${2 * MINERS} medians and the reasons`,
      target: 5_000,
      run: () => certify(snapshot, counted, reports),
    },
  ]
}

export const protocolCases = (): readonly Case[] => [...messageCases(), ...agreementCases()]
