/**
 * Mutated messages against every decoder and the gossip border: what a peer sends must never throw, hang or grow memory.
 *
 * Mutations start from valid samples, so that many get deep: flipped bits, cuts, splices with other kinds, repeated parts,
 * and CBOR items replaced by hostile ones (huge lengths, foreign tags, nests, maps that pose as CIDs). Message i of a
 * decoder follows from the seed plus i alone: a failure is drawn again with `--only NAME --count 1 --seed ITS_SEED`.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { encode } from '../../src/protocol/codec.ts'
import { bitmapOf, decodeRecord, encodeRecord, NO_HASH } from '../../src/protocol/commitment.ts'
import { decodeConstitution, encodeConstitution, parseConstitution } from '../../src/protocol/constitution.ts'
import {
  type Envelope,
  envelopeShape,
  MESSAGE_KINDS,
  type MessageKind,
  openEnvelope,
} from '../../src/protocol/envelope.ts'
import { judgeMessage, MESSAGE_RULES, readBody, type View } from '../../src/protocol/gossip.ts'
import { repeatedKey } from '../../src/protocol/json-reader.ts'
import {
  decodeModel,
  decodePage,
  decodeSubmission,
  encodeModel,
  encodePage,
  encodeSubmission,
} from '../../src/protocol/manifest.ts'
import { decodeReport, encodeReport } from '../../src/protocol/report.ts'
import type { Reveal } from '../../src/protocol/reveal.ts'
import { decodeRoot, encodeRoot } from '../../src/protocol/root.ts'
import { encodeSafetensorsHeader, judgeSafetensors, readHeaderLength } from '../../src/protocol/safetensors.ts'
import { Flaw, type Shape } from '../../src/protocol/schema.ts'
import { decodePool, decodeShard, poolShape, shardShape } from '../../src/protocol/shard.ts'
import { equalBytes, toHex, utf8 } from '../../src/util/bytes.ts'
import { PULL_TARGETS } from '../p2p/pull/fuzz.ts'
import * as world from '../protocol/world.ts'
import { createRandom, type Random } from '../protocol/world.ts'
import { mutate, pick, replaced } from './mutate.ts'

export type FuzzOptions = { readonly count: number; readonly seed: number; readonly only: string | null }

export type Fuzzed = {
  readonly decoder: string
  readonly messages: number
  /** How many were read as something valid: with none, nothing deep was reached. */
  readonly accepted: number
  readonly throws: number
  /** The first that threw. */
  readonly thrown: { readonly seed: number; readonly hex: string; readonly error: string } | null
  readonly slowestMs: number
  readonly slowestSeed: number
  readonly slow: number
  readonly heapGrowthBytes: number
  readonly seconds: number
}

/** On a calm machine a message of these sizes takes microseconds. */
export const SLOW_MS = 50
/** What may be left after a million messages: caches of the engine, never the messages. */
export const HEAP_GROWTH_BYTES_MAX = 64 * 2 ** 20

type Target = {
  readonly name: string
  readonly samples: readonly Uint8Array[]
  /** True when the input was read as valid. */
  readonly run: (bytes: Uint8Array, random: Random) => boolean
  /** What else to insert, in the words of the format. */
  readonly words?: readonly Uint8Array[]
}

const { cidOfText, network, terms, validatorKey, minerKey, CYCLE, constitution } = world

const record = encodeRecord(network, {
  kind: 'attest',
  cycle: CYCLE,
  hash: NO_HASH,
  root: cidOfText('root'),
  bitmap: bitmapOf([0]),
})
const miner = minerKey(0)
const reveal = world.revealOf(miner)
const MESSAGES: { readonly [K in MessageKind]: Uint8Array } = {
  card: world.sealedCard(miner),
  reveal: world.sealed('reveal', miner, reveal),
  shard: world.sealed('shard', validatorKey(0), { domain: 'code', shard: cidOfText('sealed') }),
  report: world.sealed('report', validatorKey(0), world.reportMessage),
  record: world.sealed('record', validatorKey(0), { record }),
}
const ENVELOPES = new Map(MESSAGE_KINDS.map((kind) => [kind, openEnvelope(MESSAGES[kind]) as Envelope]))
const opened = (kind: MessageKind): Envelope => ENVELOPES.get(kind) as Envelope

const lacksFlaw = (value: unknown): boolean => !(value instanceof Flaw)
const body = (kind: MessageKind): Target => {
  const envelope = opened(kind)
  const run = (bytes: Uint8Array): boolean => lacksFlaw(readBody(kind, { ...envelope, body: bytes }))
  return { name: kind, samples: [envelope.body], run }
}
const decoder = (name: string, sample: Uint8Array, read: (bytes: Uint8Array) => unknown): Target => ({
  name,
  samples: [sample],
  run: (bytes) => lacksFlaw(read(bytes)),
})

/** What the border knows: everything final, nothing final, everything heard before. No signature stops a message. */
const held = new Map([[miner.hotkey, { sequence: 0 }]])
const VIEWS: readonly View[] = [
  { ...world.view, verify: () => true, cards: new Map([[miner.hotkey, { sequence: 1 }]]) },
  { ...world.view, verify: () => true, commitments: null, hashes: null, open: false, privateAllowed: false },
  { ...world.view, verify: () => true, terms: null, hashes: null, registered: new Set<string>() },
]
/** A card that passes all else is checked with Ed25519, which takes a millisecond: now and then is enough. */
const FULL_VIEW: View = { ...world.view, verify: () => true, cards: held }

/** Alters the message as a whole, or its body alone, or the card inside its body, in envelopes that are sound. */
function judged(bytes: Uint8Array, random: Random): boolean {
  const view = random.below(256) === 0 ? FULL_VIEW : (VIEWS[random.below(VIEWS.length)] as View)
  const kind = pick(random, MESSAGE_KINDS)
  if (random.below(3) === 0) return judgeMessage(view, kind, bytes).verdict.kind === 'accept'
  const envelope = opened(kind)
  const isInner = kind === 'reveal' && random.below(2) === 0
  const altered = mutate(isInner ? reveal.card : envelope.body, random, [bytes])
  const inner = isInner ? encode(MESSAGE_RULES.reveal.shape as Shape<Reveal>, { ...reveal, card: altered }) : altered
  return judgeMessage(view, kind, encode(envelopeShape, { ...envelope, body: inner })).verdict.kind === 'accept'
}

function safetensors(): Target {
  const tensors = [
    { name: 'a.weight', dtype: 'F32', shape: [2, 2] },
    { name: 'b', dtype: 'BF16', shape: [] },
  ] as const
  const { prefix } = encodeSafetensorsHeader(tensors, new Map([['by', 'me']]))
  const words = [
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    ',',
    '\\ud800',
    '"__metadata__":',
    '-1',
    '1e9',
    'null',
    '9007199254740993',
  ]
  const run = (bytes: Uint8Array, random: Random): boolean => {
    const fileBytes = 8 + bytes.length + (random.below(4) === 0 ? random.below(2 ** 31) : 18)
    readHeaderLength(bytes, fileBytes)
    return judgeSafetensors(bytes, fileBytes).kind === 'accept'
  }
  return { name: 'safetensors', samples: [prefix.subarray(8)], run, words: words.map(utf8) }
}

function constitutionJson(): Target {
  const link = (value: unknown): unknown => (value instanceof Uint8Array ? toHex(value) : value)
  const text = JSON.stringify(constitution, (_, value) => link(value))
  const json: unknown = JSON.parse(text)
  const run = (bytes: Uint8Array, random: Random): boolean => {
    if (random.below(2) === 0) return lacksFlaw(parseConstitution(replaceAt(json, random)))
    const written = new TextDecoder().decode(bytes)
    try {
      JSON.parse(written)
    } catch {
      return false // Not ours: whoever reads the file says that it is no JSON.
    }
    return repeatedKey(written) === null && lacksFlaw(parseConstitution(JSON.parse(written)))
  }
  const words = ['{', '}', '[]', '""', ':', ',', '-1', '1e400', 'null', '"__proto__":1,', '1.5'].map(utf8)
  return { name: 'constitution-json', samples: [utf8(text)], run, words }
}

const ODD: readonly unknown[] = [
  null,
  undefined,
  -1,
  1.5,
  Number.NaN,
  2 ** 60,
  1n,
  '',
  'x',
  true,
  [],
  {},
  [[]],
  () => 1,
]

/** The same JSON with one value somewhere replaced by an odd one; what is not on the way is shared. */
function replaceAt(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random.below(8) === 0) return pick(random, ODD)
  if (Array.isArray(value)) {
    return value.length === 0 ? pick(random, ODD) : value.with(random.below(value.length), replaceAt(value[0], random))
  }
  const keys = Object.keys(value)
  const key = random.below(16) === 0 ? pick(random, ['__proto__', 'constructor', '']) : pick(random, keys)
  return { ...value, [key]: replaceAt((value as Record<string, unknown>)[key], random) }
}

const shard = { ...world.shard, sequences: world.shard.sequences.slice(0, 2) }
const shardTerms = { network: network.constitution, cycle: CYCLE, domain: 'code', ...constitution.model }
const nextRoot = { ...world.base, cycle: 3, previous: world.baseCid, rows: world.report.rows }

export const TARGETS: readonly Target[] = [
  decoder('constitution', encodeConstitution(constitution), decodeConstitution),
  constitutionJson(),
  decoder('envelope', MESSAGES.shard, openEnvelope),
  body('card'),
  body('reveal'),
  body('shard'),
  body('report'),
  body('record'),
  decoder('report-body', encodeReport(world.report), (bytes) => decodeReport(terms, bytes)),
  decoder('slot', record, (bytes) => decodeRecord(network, bytes) ?? new Flaw('', '')),
  decoder('submission', encodeSubmission(world.submissionOf(miner)), decodeSubmission),
  decoder('page', encodePage(world.pageOf('code')), decodePage),
  decoder('model', encodeModel(world.model), decodeModel),
  decoder('shard-content', encode(shardShape, shard), (bytes) => decodeShard(shardTerms, bytes)),
  decoder('pool', encode(poolShape, shard), (bytes) => decodePool(shardTerms, bytes)),
  decoder('root', encodeRoot(nextRoot), decodeRoot),
  safetensors(),
  ...PULL_TARGETS,
  { name: 'border', samples: Object.values(MESSAGES), run: judged },
]

function withWords(sample: Uint8Array, random: Random, words: readonly Uint8Array[]): Uint8Array {
  const at = random.below(sample.length + 1)
  return replaced(sample, { start: at, end: at + random.below(6) }, pick(random, words))
}

/** The message that a seed stands for, and a generator for what the target draws itself. */
export function drawMessage(target: Target, seed: number): { readonly bytes: Uint8Array; readonly random: Random } {
  const random = createRandom(seed)
  const sample = pick(random, target.samples)
  if (target.words !== undefined && random.below(2) === 0) {
    return { bytes: withWords(sample, random, target.words), random }
  }
  return { bytes: mutate(sample, random, SAMPLES), random }
}
const SAMPLES = TARGETS.flatMap(({ samples }) => samples)

/** The samples themselves must be valid, or the run tests nothing but refusals. */
export const invalidSamples = (): readonly string[] =>
  TARGETS.filter(({ name }) => name !== 'border').flatMap(({ name, samples, run }) =>
    samples.every((sample) => run(sample, { unit: () => 0.99, below: (limit) => limit - 1 })) ? [] : [name],
  )

export function fuzz(target: Target, { count, seed }: Omit<FuzzOptions, 'only'>): Fuzzed {
  let [accepted, throws, slow, slowestMs, slowestSeed] = [0, 0, 0, 0, seed]
  let thrown: Fuzzed['thrown'] = null
  const heapBefore = heapBytes()
  const start = performance.now()
  for (let i = 0; i < count; i++) {
    const at = (seed + i) >>> 0
    const { bytes, random } = drawMessage(target, at)
    const copy = i % 1_024 === 0 ? Uint8Array.from(bytes) : null
    const began = performance.now()
    try {
      if (target.run(bytes, random)) accepted += 1
    } catch (error) {
      throws += 1
      thrown ??= { seed: at, hex: toHex(bytes), error: error instanceof Error ? String(error.stack) : String(error) }
    }
    const ms = performance.now() - began
    if (ms > slowestMs) [slowestMs, slowestSeed] = [ms, at]
    if (ms > SLOW_MS) slow += 1
    if (copy !== null && !equalBytes(copy, bytes)) throw new Error(`${target.name} wrote into its input, seed ${at}`)
  }
  const seconds = (performance.now() - start) / 1_000
  const heapGrowthBytes = heapBytes() - heapBefore
  const times = { slowestMs, slowestSeed, slow, seconds }
  return { decoder: target.name, messages: count, accepted, throws, thrown, heapGrowthBytes, ...times }
}

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')
function heapBytes(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** True when nothing threw and nothing grew. Prints a line for each decoder and a total. */
export function runFuzz({ count, seed, only }: FuzzOptions, print: (line: string) => void): boolean {
  const targets = TARGETS.filter(({ name }) => only === null || name === only)
  let [messages, throws, failed] = [0, 0, targets.length === 0]
  // Refusals are exceptions inside the CBOR library: their stack traces would be most of the time.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  for (const target of targets) {
    const done = fuzz(target, { count, seed })
    const growthMiB = done.heapGrowthBytes / 2 ** 20
    const rate = Math.round(done.messages / done.seconds)
    print(
      `${done.decoder.padEnd(18)} ${done.messages} messages  ${done.accepted} valid  ${done.throws} thrown  ` +
        `${rate}/s  slowest ${done.slowestMs.toFixed(1)} ms  heap ${growthMiB.toFixed(1)} MiB`,
    )
    if (done.slow > 0)
      print(`  warning: ${done.slow} took more than ${SLOW_MS} ms, the slowest seed ${done.slowestSeed}`)
    if (done.heapGrowthBytes > HEAP_GROWTH_BYTES_MAX) print(`  failed: the heap grew by ${growthMiB.toFixed(1)} MiB`)
    if (done.thrown !== null) print(`  failed: seed ${done.thrown.seed}, ${done.thrown.error}\n  ${done.thrown.hex}`)
    messages += done.messages
    throws += done.throws
    failed ||= done.throws > 0 || done.heapGrowthBytes > HEAP_GROWTH_BYTES_MAX
  }
  Error.stackTraceLimit = stackTraceLimit
  print(`${'total'.padEnd(18)} ${messages} messages  ${throws} thrown  seed ${seed}`)
  return !failed
}
