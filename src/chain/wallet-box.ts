/**
 * The encryption of key files: `$NACL`, a nonce, and a secretbox under a key that Argon2i makes of the password.
 *
 * The salt is the same for everybody (https://github.com/opentensor/btwallet, keyfile.rs), so only the cost protects a weak
 * password: libsodium's SENSITIVE, 512 MiB and eight passes. That is about seven seconds of one core here, in WebAssembly,
 * and this thread does nothing else meanwhile: unlock a coldkey before anything that must stay awake.
 */
import { naclDecrypt, naclEncrypt } from '@polkadot/util-crypto'
import { argon2i } from 'hash-wasm'
import { NodeError } from '../errors.ts'
import { concat, hexBytes, utf8 } from '../util/bytes.ts'

/** Makes 32 bytes of a password. Tests hand in a cheap one. */
export type Kdf = (password: string) => Promise<Uint8Array>

const SALT = hexBytes('137183dff15a09bc9c90b5518739e9b1')
/** In KiB and passes. */
const COST = { memorySize: 512 * 1024, iterations: 8, parallelism: 1 }
const KEY_BYTES = 32
const NONCE_BYTES = 24
const PREFIX = utf8('$NACL')
/** Poly1305's tag. */
const BOX_BYTES_MIN = PREFIX.length + NONCE_BYTES + 16

export const passwordKey: Kdf = async (password) => {
  try {
    return await argon2i({ ...COST, password, salt: SALT, hashLength: KEY_BYTES, outputType: 'binary' })
  } catch (error) {
    // WebAssembly says so when the system does not give it that much.
    if (!(error instanceof RangeError)) throw error
    const why = `it takes ${COST.memorySize / 1024} MiB of memory, and they are not to be had`
    throw new NodeError('WALLET_LOCKED', { what: 'a coldkey cannot be unlocked', why, remedy: 'Free some memory.' })
  }
}

/** How a key file is kept, by its first bytes: before version 2 of `btcli` they were Ansible vaults, and Fernet before. */
export function encryptionOf(file: Uint8Array): 'none' | 'nacl' | 'outdated' {
  if (startsWith(file, PREFIX)) return 'nacl'
  return startsWith(file, utf8('$ANSIBLE_VAULT')) || startsWith(file, utf8('gAAAAA')) ? 'outdated' : 'none'
}

export async function seal(text: string, password: string, kdf: Kdf): Promise<Uint8Array> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
  const { encrypted } = naclEncrypt(utf8(text), await kdf(password), nonce)
  return concat(PREFIX, nonce, encrypted)
}

export const isTorn = (file: Uint8Array): boolean => file.length <= BOX_BYTES_MIN

/** `null` when the password is wrong or the file was changed: nobody can tell the two apart. */
export async function unseal(file: Uint8Array, password: string, kdf: Kdf): Promise<string | null> {
  const body = file.slice(PREFIX.length)
  const plain = naclDecrypt(body.slice(NONCE_BYTES), body.slice(0, NONCE_BYTES), await kdf(password))
  return plain === null ? null : new TextDecoder().decode(plain)
}

const startsWith = (bytes: Uint8Array, prefix: Uint8Array): boolean => prefix.every((byte, i) => bytes[i] === byte)
