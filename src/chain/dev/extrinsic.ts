/**
 * Transactions of version 4: decoding, what is signed, and whether the signature fits.
 *
 * A transaction is a length, a version, an address, a signature, what the signed extensions carry, and a call. Under the
 * signature is the call, then what the extensions carry, then what they only imply.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { verify as verifySr25519 } from '@scure/sr25519'
import { concat, hexBytes, toHex } from '../../util/bytes.ts'
import type { DecodedCall } from './define.ts'
import { type Era, readEra } from './era.ts'
import type { SignedExtension } from './metadata.ts'
import { TRANSACTION_VERSION } from './pallet/system.ts'
import type { Runtime } from './runtime.ts'
import type { EnumValue } from './scale.ts'
import { Reader, ScaleError } from './scale-io.ts'
import { blake2 } from './storage-key.ts'

export type Extrinsic = {
  /** Of the whole transaction, hex without 0x. */
  readonly hash: string
  readonly bytes: Uint8Array
  readonly call: DecodedCall
  /** `null` for what a block's author says himself. */
  readonly signed: Signed | null
}

export type Signed = {
  readonly address: EnumValue
  readonly signature: EnumValue
  readonly era: Era | null
  readonly nonce: number
  readonly tip: bigint
  readonly wantsMetadataHash: boolean
  readonly extraBytes: Uint8Array
  readonly callBytes: Uint8Array
}

export type Implied = { readonly specVersion: number; readonly genesisHash: string; readonly birthHash: string }

type Codecs = Pick<Runtime, 'codecs' | 'extensions'>

const VERSION = 4
const SIGNED_BIT = 0x80
/** A longer payload is hashed before it is signed. */
const PAYLOAD_BYTES_MAX = 256

/** Throws `ScaleError` with Substrate's words. */
export function decodeExtrinsic(bytes: Uint8Array, { codecs, extensions }: Codecs): Extrinsic {
  const reader = new Reader(bytes)
  if (reader.length() !== reader.left) throw new ScaleError('Invalid length prefix')
  const version = reader.u8()
  if ((version & ~SIGNED_BIT) !== VERSION) throw new ScaleError('Invalid transaction version')
  const base = { hash: toHex(blake2(bytes)), bytes }
  const callCodec = codecs.codec('RuntimeCall')
  if ((version & SIGNED_BIT) === 0) return { ...base, signed: null, call: finish(reader, callCodec.decode(reader)) }
  const address = codecs.codec('MultiAddress').decode(reader) as EnumValue
  const signature = codecs.codec('MultiSignature').decode(reader) as EnumValue
  const extraAt = reader.at
  const extra = new Map(extensions.map(({ name, extra }) => [name, codecs.codec(extra).decode(reader)]))
  const callAt = reader.at
  const call = finish(reader, callCodec.decode(reader))
  const signed: Signed = {
    address,
    signature,
    era: readEra(extra.get('CheckMortality') as EnumValue),
    nonce: extra.get('CheckNonce') as number,
    tip: extra.get('ChargeTransactionPayment') as bigint,
    wantsMetadataHash: (extra.get('CheckMetadataHash') as { readonly mode: EnumValue }).mode.type === 'Enabled',
    extraBytes: bytes.subarray(extraAt, callAt),
    callBytes: bytes.subarray(callAt),
  }
  return { ...base, signed, call }
}

function finish(reader: Reader, call: unknown): DecodedCall {
  if (reader.left > 0) throw new ScaleError('Input buffer has still data left after decoding!')
  return call as DecodedCall
}

/** What a block's author says in his own block. */
export function encodeInherent(call: DecodedCall, { codecs }: Codecs): Uint8Array {
  return codecs.encode('Vec<u8>', concat(Uint8Array.of(VERSION), codecs.encode('RuntimeCall', call)))
}

export function signedPayload(
  signed: Pick<Signed, 'callBytes' | 'extraBytes'>,
  implied: Implied,
  runtime: Codecs,
): Uint8Array {
  const { codecs, extensions } = runtime
  const values = impliedValues(implied)
  const parts = extensions
    .filter((extension) => extension.signed !== '()')
    .map((extension) => codecs.encode(extension.signed, values[extension.name]))
  const payload = concat(signed.callBytes, signed.extraBytes, ...parts)
  return payload.length > PAYLOAD_BYTES_MAX ? blake2(payload) : payload
}

/** The mode "with the hash of the metadata" is refused before this. */
const impliedValues = ({
  specVersion,
  genesisHash,
  birthHash,
}: Implied): { readonly [name: SignedExtension['name']]: unknown } => ({
  CheckSpecVersion: specVersion,
  CheckTxVersion: TRANSACTION_VERSION,
  CheckGenesis: genesisHash,
  CheckMortality: birthHash,
  CheckMetadataHash: null,
})

/** ECDSA is not offered: no wallet of Bittensor signs with it. */
export function verifySignature(account: string, { type, value }: EnumValue, payload: Uint8Array): boolean {
  const publicKey = hexBytes(account)
  try {
    if (type === 'Sr25519') return verifySr25519(payload, value as Uint8Array, publicKey)
    return type === 'Ed25519' && ed25519.verify(value as Uint8Array, payload, publicKey)
  } catch {
    return false // malformed points and scalars
  }
}
