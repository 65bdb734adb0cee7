/**
 * Hotkeys: the sr25519 public key by which the chain knows a miner or a validator.
 *
 * Inside the program a hotkey is 64 hex digits, so that sorting strings sorts bytes. People and the chain's tools write
 * SS58: base58 of prefix, key and two bytes of BLAKE2b (https://docs.substrate.io/reference/address-formats/).
 */
import { blake2b } from '@noble/hashes/blake2.js'
import { base58btc } from 'multiformats/bases/base58'
import { concat, equalBytes, hexBytes, toHex, utf8 } from '../util/bytes.ts'
import { id } from './schema.ts'

export const HOTKEY_BYTES = 32
export const hotkeyShape = id(HOTKEY_BYTES)

/** The generic Substrate prefix, which Bittensor uses. */
const PREFIX = Uint8Array.of(42)
const CHECKSUM_BYTES = 2
const checksum = (body: Uint8Array): Uint8Array =>
  blake2b(concat(utf8('SS58PRE'), body), { dkLen: 64 }).slice(0, CHECKSUM_BYTES)

export function toSs58(hotkey: string): string {
  const body = concat(PREFIX, hexBytes(hotkey))
  return base58btc.baseEncode(concat(body, checksum(body)))
}

/** `null` when the text is no SS58 address with this prefix. */
export function fromSs58(address: string): string | null {
  if (address.length > 64) return null
  const bytes = decodeBase58(address)
  if (bytes?.length !== PREFIX.length + HOTKEY_BYTES + CHECKSUM_BYTES || bytes[0] !== PREFIX[0]) return null
  const body = bytes.subarray(0, PREFIX.length + HOTKEY_BYTES)
  return equalBytes(checksum(body), bytes.subarray(body.length)) ? toHex(body.subarray(PREFIX.length)) : null
}

function decodeBase58(textBase58: string): Uint8Array | null {
  try {
    return base58btc.baseDecode(textBase58)
  } catch {
    return null
  }
}
