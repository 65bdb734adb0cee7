/**
 * Opens what was encrypted to a round of the drand beacon, with the signature that the beacon published for it.
 * The scheme is in chain/tlock.ts.
 */
import { createDecipheriv } from 'node:crypto'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concat, toHex } from '../../../../util/bytes.ts'
import { exponentOf, KEY_BYTES, NONCE_BYTES, pairingBytes, xor } from '../../../tlock.ts'
import { CORE_TYPES } from '../../core-type.ts'
import { createCodecs } from '../../scale.ts'
import { ScaleError } from '../../scale-io.ts'

export type TimelockedWeights = {
  readonly uids: readonly number[]
  readonly values: readonly number[]
  readonly versionKey: bigint
}

const G2_BYTES = 96
const TAG_BYTES = 16

/** `null` for what is not a ciphertext for this round. */
export function openSealed(sealed: Uint8Array, signature: Uint8Array): Uint8Array | null {
  try {
    const { u, v, w, ciphertext, nonce } = readSealed(sealed)
    const key = bls12_381.G1.Point.fromBytes(signature)
    key.assertValidity()
    u.assertValidity()
    const sigma = xor(v, sha256(pairingBytes(bls12_381.pairing(key, u))))
    const secret = xor(w, sha256(sigma))
    const r = exponentOf(sigma, secret)
    if (!bls12_381.G2.Point.BASE.multiply(r).equals(u)) return null
    const cipher = createDecipheriv('aes-256-gcm', secret, nonce)
    cipher.setAuthTag(ciphertext.subarray(-TAG_BYTES))
    return concat(cipher.update(ciphertext.subarray(0, -TAG_BYTES)), cipher.final())
  } catch {
    return null // whatever is wrong with it, it is the sender's fault and costs nobody else anything
  }
}

/** Lists have their length before them, as a u64. */
function readSealed(bytes: Uint8Array) {
  const header = listReader(bytes, G2_BYTES)
  const [v, w, body] = [header(), header(), header()]
  header() // the name of the cipher, of which there is only one
  const inner = listReader(body, 0)
  const [ciphertext, nonce] = [inner(), inner()]
  const fits = v.length === KEY_BYTES && w.length === KEY_BYTES && nonce.length === NONCE_BYTES
  if (!fits || ciphertext.length < TAG_BYTES) throw new RangeError('not a timelocked message')
  return { u: bls12_381.G2.Point.fromBytes(bytes.slice(0, G2_BYTES)), v, w, ciphertext, nonce }
}

function listReader(bytes: Uint8Array, start: number): () => Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = start
  return () => {
    const length = view.getBigUint64(at, true)
    at += 8
    if (length > BigInt(bytes.length - at)) throw new RangeError('a list is longer than what is left')
    const list = bytes.slice(at, at + Number(length))
    at += list.length
    return list
  }
}

const codecs = createCodecs(CORE_TYPES)
const PAYLOAD = '{hotkey: Vec<u8>, uids: Vec<u16>, values: Vec<u16>, version_key: u64}'
/** Of clients from before the committer's key was in it. */
const LEGACY_PAYLOAD = '{uids: Vec<u16>, values: Vec<u16>, version_key: u64}'
type Payload = {
  readonly hotkey?: Uint8Array
  readonly uids: readonly number[]
  readonly values: readonly number[]
  readonly version_key: bigint
}

/** `null` for what is not a ciphertext for this round, or not the weights of `who`. */
export function openWeights(commit: Uint8Array, signature: Uint8Array, who: string): TimelockedWeights | null {
  const bytes = openSealed(commit, signature)
  if (bytes === null) return null
  const payload = decodePayload(PAYLOAD, bytes) ?? decodePayload(LEGACY_PAYLOAD, bytes)
  if (payload === null) return null
  // A copy of somebody else's commit opens, but not for the copier.
  if (payload.hotkey !== undefined && toHex(payload.hotkey) !== who) return null
  return { uids: payload.uids, values: payload.values, versionKey: payload.version_key }
}

function decodePayload(type: string, bytes: Uint8Array): Payload | null {
  try {
    return codecs.decode(type, bytes) as Payload
  } catch (error) {
    if (error instanceof ScaleError) return null
    throw error
  }
}
