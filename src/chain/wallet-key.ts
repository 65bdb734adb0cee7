/**
 * The keys of a wallet and the text of their files, as `btcli` writes them. Pure but for the randomness of a new phrase.
 *
 * Secrets leave this file only through `sign`, `mac`, and the text that goes to disk: no error and no log repeats a byte of
 * what was read, and no error of a parser is passed on, because parsers quote.
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { mnemonicGenerate, mnemonicToMiniSecret } from '@polkadot/util-crypto'
import * as sr25519 from '@scure/sr25519'
import type { Keys } from '../ports.ts'
import { fromSs58, HOTKEY_BYTES, toSs58 } from '../protocol/hotkey.ts'
import { fromHex, toHex } from '../util/bytes.ts'
import type { Signer } from './sign.ts'

/** What a secret can do; the secret itself stays in the closures. */
export type KeyAccess = Signer & Pick<Keys, 'mac'>

/** What a key file holds. Only for the way between phrase, file and `accessOf`. */
export type KeyMaterial = {
  /** 64 bytes: the scalar times eight and the nonce, which is what libraries call the Ed25519 form. */
  readonly secret: Uint8Array
  readonly publicKey: Uint8Array
  readonly seed: Uint8Array | null
  readonly phrase: string | null
}

export type ReadKey =
  | { readonly is: 'key'; readonly material: KeyMaterial }
  | { readonly is: 'damaged' | 'unsupported'; readonly why: string }

const SEED_BYTES = 32
const SCALAR_BYTES = 32
const SECRET_BYTES = 64
/** 128 bits, as `btcli` has it. */
const PHRASE_WORDS = 12

export const newPhrase = (): string => mnemonicGenerate(PHRASE_WORDS)

/** `null` when it is no BIP-39 phrase. Its seed is Substrate's: from the entropy, not from the words. */
export function materialOfPhrase(text: string): (KeyMaterial & { readonly phrase: string }) | null {
  const phrase = text.trim().split(/\s+/).join(' ')
  try {
    const seed = mnemonicToMiniSecret(phrase)
    return { ...materialOfSeed(seed), phrase }
  } catch {
    return null
  }
}

export function materialOfSeed(seed: Uint8Array): KeyMaterial {
  const secret = sr25519.secretFromSeed(seed)
  return { secret, publicKey: sr25519.getPublicKey(secret), seed, phrase: null }
}

export function accessOf({ secret, publicKey }: KeyMaterial): KeyAccess {
  return {
    address: toSs58(toHex(publicKey)),
    publicKey,
    sign: (bytes) => sr25519.sign(secret, bytes, crypto.getRandomValues(new Uint8Array(32))),
    mac: (message) => hmac(sha256, secret, message),
  }
}

/** The decrypted text of a key file. The private key counts first: a key that was derived by a path has nothing else. */
export function readKey(text: string): ReadKey {
  const fields = fieldsOf(text)
  if (fields === null) return { is: 'damaged', why: 'it is no key file: not a JSON object' }
  // Files of older versions do not name the kind; then it is this one.
  if ((fields['cryptoType'] ?? 1) !== 1) return { is: 'unsupported', why: 'it holds a key that is not sr25519' }
  const expected = publicKeyOf(fields)
  if (expected === null) return { is: 'damaged', why: 'it names no public key, or two different ones' }
  const material = secretOf(fields)
  if (material === null) return { is: 'damaged', why: 'it holds no private key, seed or phrase that can be read' }
  if (toHex(material.publicKey) !== expected) {
    return { is: 'damaged', why: 'its secret does not belong to its public key' }
  }
  return { is: 'key', material }
}

/** Hex of the public key in a `…pub.txt`, or in a plain key file; `null` when there is none. */
export function readPublicKey(text: string): string | null {
  const fields = fieldsOf(text)
  return fields === null ? null : publicKeyOf(fields)
}

/** Without `cryptoType`, which versions before 4 cannot read and later ones do not miss. */
export function printKey({ secret, publicKey, seed, phrase }: KeyMaterial): string {
  return JSON.stringify({
    ...publicFields(publicKey),
    privateKey: `0x${toHex(divideByEight(secret))}`,
    ...(phrase === null ? {} : { secretPhrase: phrase }),
    ...(seed === null ? {} : { secretSeed: `0x${toHex(seed)}` }),
  })
}

export const printPublicKey = (publicKey: Uint8Array): string => JSON.stringify(publicFields(publicKey))

const publicFields = (publicKey: Uint8Array) => ({
  accountId: `0x${toHex(publicKey)}`,
  publicKey: `0x${toHex(publicKey)}`,
  ss58Address: toSs58(toHex(publicKey)),
})

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null
  } catch {
    return null
  }
}

/** What the file says of itself, in up to three fields that must agree. */
function publicKeyOf(fields: Fields): string | null {
  const address = fields['ss58Address']
  const named = [hexField(fields, 'publicKey', HOTKEY_BYTES), hexField(fields, 'accountId', HOTKEY_BYTES)]
    .filter((bytes) => bytes !== null)
    .map(toHex)
  const keys = new Set(typeof address === 'string' ? [...named, fromSs58(address)] : named)
  const [key] = keys
  return keys.size === 1 ? (key ?? null) : null
}

function secretOf(fields: Fields): KeyMaterial | null {
  const phrase = typeof fields['secretPhrase'] === 'string' ? fields['secretPhrase'] : null
  // Version 4 garbles the seed of a key that was made from one: such a field is passed over.
  const seed = hexField(fields, 'secretSeed', SEED_BYTES)
  const canonical = hexField(fields, 'privateKey', SECRET_BYTES)
  const secret = canonical === null ? null : timesEight(canonical)
  const publicKey = secret === null ? null : publicKeyOfSecret(secret)
  if (secret !== null && publicKey !== null) return { secret, publicKey, seed, phrase }
  if (seed !== null) return { ...materialOfSeed(seed), phrase }
  return phrase === null ? null : materialOfPhrase(phrase)
}

function publicKeyOfSecret(secret: Uint8Array): Uint8Array | null {
  try {
    return sr25519.getPublicKey(secret)
  } catch {
    return null
  }
}

function hexField(fields: Fields, name: string, length: number): Uint8Array | null {
  const value = fields[name]
  if (typeof value !== 'string') return null
  const bytes = fromHex(value.replace(/^0x/, '').toLowerCase())
  return bytes?.length === length ? bytes : null
}

/** Key files hold the scalar itself, little-endian. `null` when it is too large to be one. */
function timesEight(secret: Uint8Array): Uint8Array | null {
  if ((secret[SCALAR_BYTES - 1] ?? 0) > 0x1f) return null
  const out = secret.slice()
  for (let i = 0; i < SCALAR_BYTES; i++) out[i] = ((secret[i] ?? 0) << 3) | (i === 0 ? 0 : (secret[i - 1] ?? 0) >> 5)
  return out
}

function divideByEight(secret: Uint8Array): Uint8Array {
  const out = secret.slice()
  for (let i = 0; i < SCALAR_BYTES; i++) {
    out[i] = ((secret[i] ?? 0) >> 3) | (i === SCALAR_BYTES - 1 ? 0 : ((secret[i + 1] ?? 0) & 7) << 5)
  }
  return out
}
