/**
 * Encryption to a round of the drand beacon, for the client that seals and the development chain that opens.
 *
 * Identity-based encryption after Boneh and Franklin on BLS12-381: a round is the identity, and the signature that the beacon
 * publishes for it is its key. It hides an AES key, and that hides the message. Layout and hashes are those of the crate
 * `tle` that subtensor uses.
 */
import { createCipheriv } from 'node:crypto'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { sha256 } from '@noble/hashes/sha2.js'
import type { Random } from '../ports.ts'
import { concat, hexBytes, toHex, utf8 } from '../util/bytes.ts'
import { scaleU64 } from './scale.ts'

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

const DST = 'BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_'
export const KEY_BYTES = 32
export const NONCE_BYTES = 12
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
  const r = exponentOf(sigma, secret)
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

/** The multiplier that whoever opens a message computes again, to see that it was made by the rules. */
export const exponentOf = (sigma: Uint8Array, secret: Uint8Array): bigint =>
  bls12_381.fields.Fr.create(BigInt(`0x${toHex(sha256(concat(sigma, secret)))}`))

/** Its length before it, as a u64. */
const list = (bytes: Uint8Array): Uint8Array => concat(scaleU64(BigInt(bytes.length)), bytes)

export const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ (b[i] as number))

/** The twelve numbers of a target group's element from the innermost pair outwards, the least byte first. */
export function pairingBytes({ c0, c1 }: ReturnType<typeof bls12_381.pairing>): Uint8Array {
  const numbers = [c0, c1].flatMap((six) => [six.c0, six.c1, six.c2]).flatMap((two) => [two.c0, two.c1])
  return concat(...numbers.map((number) => hexBytes(number.toString(16).padStart(2 * FIELD_BYTES, '0')).reverse()))
}
