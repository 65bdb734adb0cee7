/**
 * The one envelope of every gossip message: who says it, of which kind, in which cycle, and the signature over it.
 *
 * What is signed begins with a tag of the kind and holds genesis, constitution, cycle and author, so that nothing can be
 * lifted into another network, cycle, kind or mouth. A bare digest is never signed: the chain signs those as transactions.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import * as sr25519 from '@scure/sr25519'
import { assert } from '../util/assert.ts'
import { concat, hexBytes, u64, utf8 } from '../util/bytes.ts'
import { cidBytes, decode, encode } from './codec.ts'
import type { Network } from './constitution.ts'
import { hotkeyShape } from './hotkey.ts'
import { BLOCK_MAX, MESSAGE_BYTES_MAX } from './limits.ts'
import { blob, type Flaw, integer, record, type Shape, type TypeOf, word } from './schema.ts'

export const MESSAGE_KINDS = ['card', 'reveal', 'shard', 'report', 'record'] as const
export type MessageKind = (typeof MESSAGE_KINDS)[number]

export const SIGNATURE_BYTES = 64

export const envelopeShape = record({
  kind: word(MESSAGE_KINDS),
  cycle: integer(0, BLOCK_MAX),
  hotkey: hotkeyShape,
  body: blob(MESSAGE_BYTES_MAX),
  signature: blob(SIGNATURE_BYTES),
})
export type Envelope = TypeOf<typeof envelopeShape>
export type Unsigned = Omit<Envelope, 'signature'>

/** Checks a signature by a hotkey. A dependency, so that one process verifies one message once. */
export type Verify = (hotkey: string, message: Uint8Array, signature: Uint8Array) => boolean

/** Signs with the hotkey. A dependency: the key lives elsewhere, and so does the randomness that signing takes. */
export type Sign = (message: Uint8Array) => Uint8Array

/** The body enters as its hash, always behind the tag and the domain, so that signing costs the same for every size. */
export function signedBytes(network: Network, { kind, cycle, hotkey, body }: Unsigned): Uint8Array {
  return concat(
    utf8(`wheelwright/${kind}/v1\n`),
    hexBytes(network.genesis),
    cidBytes(network.constitution),
    u64(cycle),
    hexBytes(hotkey),
    sha256(body),
  )
}

export function seal<T>(
  network: Network,
  head: Pick<Envelope, 'kind' | 'cycle' | 'hotkey'>,
  shape: Shape<T>,
  content: T,
  sign: Sign,
): Uint8Array {
  const unsigned = { ...head, body: encode(shape, content) }
  const signature = sign(signedBytes(network, unsigned))
  assert(signature.length === SIGNATURE_BYTES, 'a signature has 64 bytes')
  return encode(envelopeShape, { ...unsigned, signature })
}

export function openEnvelope(bytes: Uint8Array, bytesMax = MESSAGE_BYTES_MAX): Envelope | Flaw {
  return decode(envelopeShape, bytes, bytesMax)
}

export function isSigned(network: Network, envelope: Envelope, verify: Verify): boolean {
  return verify(envelope.hotkey, signedBytes(network, envelope), envelope.signature)
}

/** The library throws on points that are not on the curve; a peer can send those. */
export const verifySr25519: Verify = (hotkey, message, signature) => {
  try {
    return sr25519.verify(message, signature, hexBytes(hotkey))
  } catch {
    return false
  }
}
