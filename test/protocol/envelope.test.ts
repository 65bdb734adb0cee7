import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encode } from '../../src/protocol/codec.ts'
import type { Network } from '../../src/protocol/constitution.ts'
import {
  type Envelope,
  envelopeShape,
  isSigned,
  MESSAGE_KINDS,
  openEnvelope,
  seal,
  signedBytes,
  type Unsigned,
  verifySr25519,
} from '../../src/protocol/envelope.ts'
import { BLOCK_MAX, MESSAGE_BYTES_MAX } from '../../src/protocol/limits.ts'
import { blob, Flaw, record } from '../../src/protocol/schema.ts'
import { openingShape } from '../../src/protocol/shard.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { alice, bob, bodies, cidOfText, network, sealed } from './sample.ts'

const open = (bytes: Uint8Array): Envelope => {
  const envelope = openEnvelope(bytes)
  if (envelope instanceof Flaw) throw new Error(envelope.problem)
  return envelope
}
const bytes = sealed('shard', bob, bodies.shard)
const envelope = open(bytes)

test('what is sealed is opened again, and is signed by its author', () => {
  expect(envelope).toMatchObject({ kind: 'shard', cycle: 4, hotkey: bob.hotkey })
  expect(envelope.body).toEqual(encode(openingShape, bodies.shard))
  expect(isSigned(network, envelope, verifySr25519)).toBe(true)
})

test.each(MESSAGE_KINDS)('a %s is sealed and signed like every other kind', (kind) => {
  const opened = open(sealed(kind, alice, bodies[kind]))
  expect(opened.kind).toBe(kind)
  expect(isSigned(network, opened, verifySr25519)).toBe(true)
})

const flipped = (given: Uint8Array, at = 0): Uint8Array => given.map((byte, i) => (i === at ? byte ^ 1 : byte))
const elsewhere = (change: Partial<Network>): Network => ({ ...network, ...change })
test.each<[what: string, network: Network, change: Partial<Envelope>]>([
  ['another chain', elsewhere({ genesis: '2e'.repeat(32) }), {}],
  ['another constitution', elsewhere({ constitution: cidOfText('another') }), {}],
  ['another kind', network, { kind: 'record' }],
  ['the cycle before', network, { cycle: 3 }],
  ['the cycle after', network, { cycle: 5 }],
  ['a cycle with the same lower byte', network, { cycle: 4 + 256 }],
  ['another mouth', network, { hotkey: alice.hotkey }],
  ['another body', network, { body: flipped(envelope.body, 9) }],
  ['a longer body', network, { body: Uint8Array.of(...envelope.body, 0) }],
  ['a shorter body', network, { body: envelope.body.subarray(1) }],
  ['an empty body', network, { body: new Uint8Array() }],
  ['another nonce', network, { signature: flipped(envelope.signature) }],
  ['another scalar', network, { signature: flipped(envelope.signature, 32) }],
  ['a signature by another', network, { signature: open(sealed('shard', alice, bodies.shard)).signature }],
])('a signature says nothing about %s', (_, where, change) => {
  expect(isSigned(where, { ...envelope, ...change }, verifySr25519)).toBe(false)
})

test('each single bit of a signature counts', () => {
  const message = signedBytes(network, envelope)
  for (let bit = 0; bit < 512; bit += 5) {
    const signature = envelope.signature.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
    expect(verifySr25519(bob.hotkey, message, signature)).toBe(false)
  }
})

describe('garbage is not a signature, and does not throw', () => {
  const message = utf8('message')
  const zeros = (length: number): Uint8Array => new Uint8Array(length)
  test.each<[why: string, hotkey: string, signature: Uint8Array]>([
    ['no bytes', bob.hotkey, zeros(0)],
    ['one byte', bob.hotkey, zeros(1)],
    ['63 bytes', bob.hotkey, bob.sign(message).subarray(1)],
    ['65 bytes', bob.hotkey, Uint8Array.of(...bob.sign(message), 0)],
    ['zeros', bob.hotkey, zeros(64)],
    ['ones', bob.hotkey, zeros(64).fill(0xff)],
    ['zeros with the mark of sr25519', bob.hotkey, zeros(64).fill(0x80, 63)],
    ['a key of zeros', '00'.repeat(32), bob.sign(message)],
    ['a key of zeros and a signature of zeros', '00'.repeat(32), zeros(64).fill(0x80, 63)],
    ['a key that is no point', 'ff'.repeat(32), bob.sign(message)],
    ['a negative key', `01${'00'.repeat(31)}`, bob.sign(message)],
    ['the modulus as a key', `ed${'ff'.repeat(30)}7f`, bob.sign(message)],
    ['a key too short', bob.hotkey.slice(2), bob.sign(message)],
    ['a key that is no hex', 'key', bob.sign(message)],
  ])('%s', (_, hotkey, signature) => {
    expect(verifySr25519(hotkey, message, signature)).toBe(false)
  })

  test('of any kind', () => {
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex)
    const signature = fc.uint8Array({ minLength: 60, maxLength: 64, size: 'max' })
    fc.assert(
      fc.property(fc.oneof(key, fc.constant(bob.hotkey)), signature, (hotkey, given) => {
        expect(verifySr25519(hotkey, message, given)).toBe(false)
      }),
      { numRuns: 50 },
    )
  })
})

test('a signature of another length is carried, and is none', () => {
  const short = open(encode(envelopeShape, { ...envelope, signature: new Uint8Array(3) }))
  expect(isSigned(network, short, verifySr25519)).toBe(false)
})

const hex32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex)
const said = fc.record({
  network: fc.record({ genesis: hex32, constitution: fc.string().map(cidOfText) }),
  unsigned: fc.record({
    kind: fc.constantFrom(...MESSAGE_KINDS),
    cycle: fc.nat({ max: BLOCK_MAX }),
    hotkey: hex32,
    body: fc.uint8Array(),
  }),
})

test('two sayings that differ in anything are signed as different bytes', () => {
  type Said = { readonly network: Network; readonly unsigned: Unsigned }
  const tokenOf = ({ network: { genesis, constitution }, unsigned }: Said): string =>
    [genesis, constitution, unsigned.kind, unsigned.cycle, unsigned.hotkey, toHex(unsigned.body)].join()
  const signed = ({ network: where, unsigned }: Said): string => toHex(signedBytes(where, unsigned))
  const part = fc.constantFrom('genesis', 'constitution', 'kind', 'cycle', 'hotkey', 'body', 'all')
  fc.assert(
    fc.property(said, said, part, (a, b, which) => {
      const other: Said = {
        network: { ...a.network, ...(which in b.network ? { [which]: b.network[which as keyof Network] } : {}) },
        unsigned: { ...a.unsigned, ...(which in b.unsigned ? { [which]: b.unsigned[which as keyof Unsigned] } : {}) },
      }
      for (const [one, two] of [
        [a, b],
        [a, other],
      ] as const) {
        expect(signed(one) === signed(two)).toBe(tokenOf(one) === tokenOf(two))
      }
    }),
  )
})

test('what is signed begins with its kind and is never a bare digest', () => {
  for (const kind of MESSAGE_KINDS) {
    const message = signedBytes(network, { ...envelope, kind })
    expect(Buffer.from(message).toString('latin1').startsWith(`wheelwright/${kind}/v1\n`)).toBe(true)
    expect(message.length).toBe(`wheelwright/${kind}/v1\n`.length + 32 + 36 + 8 + 32 + 32)
    // Longer payloads than 256 bytes are hashed by the chain before they are signed.
    expect(message.length).toBeLessThan(256)
  }
})

test('an envelope is opened up to its bound, and never throws', () => {
  expect(openEnvelope(bytes, bytes.length)).toEqual(envelope)
  expect(openEnvelope(bytes, bytes.length - 1)).toBeInstanceOf(Flaw)
  expect(openEnvelope(new Uint8Array(MESSAGE_BYTES_MAX + 1))).toMatchObject({ field: 'document' })
  fc.assert(
    fc.property(fc.nat({ max: bytes.length - 1 }), fc.uint8Array({ maxLength: 5 }), (at, insert) => {
      const mutated = Uint8Array.of(...bytes.subarray(0, at), ...insert, ...bytes.subarray(at + insert.length))
      const read = openEnvelope(mutated)
      if (!(read instanceof Flaw)) expect(encode(envelopeShape, read)).toEqual(mutated)
    }),
  )
})

test.each<[why: string, change: { readonly [key: string]: unknown }, field: string]>([
  ['an unknown kind', { kind: 'vote' }, 'kind'],
  ['a cycle before the first', { cycle: -1 }, 'cycle'],
  ['a cycle beyond u32', { cycle: BLOCK_MAX + 1 }, 'cycle'],
  ['a hotkey of 31 bytes', { hotkey: new Uint8Array(31) }, 'hotkey'],
  ['a body of text', { body: 'body' }, 'body'],
  ['a signature of 65 bytes', { signature: new Uint8Array(65) }, 'signature'],
])('an envelope with %s is refused', (_, change, field) => {
  const written = envelopeShape.write(envelope) as { readonly [key: string]: unknown }
  const open: Parameters<typeof encode>[0] = { read: (value) => value, write: (value) => value }
  expect(openEnvelope(encode(open, { ...written, ...change }))).toMatchObject({ field })
})

test('a signer that does not give 64 bytes is our own mistake', () => {
  const head = { kind: 'record', cycle: 1, hotkey: bob.hotkey } as const
  const shape = record({ record: blob(3) })
  const sign = () => new Uint8Array(63)
  expect(() => seal(network, head, shape, { record: new Uint8Array() }, sign)).toThrow('64 bytes')
})
