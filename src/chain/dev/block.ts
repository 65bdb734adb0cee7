/** Headers and blocks: how they are hashed, and how JSON-RPC shows them. */
import { toHex } from '../../util/bytes.ts'
import type { Codecs, EnumValue } from './scale.ts'
import { blake2 } from './storage-key.ts'

export type Header = {
  readonly parent_hash: string
  readonly number: number
  readonly state_root: string
  readonly extrinsics_root: string
  readonly digest: { readonly logs: readonly EnumValue[] }
}

export type Block = {
  readonly number: number
  /** Hex without 0x, like every hash inside. */
  readonly hash: string
  readonly header: Header
  readonly body: readonly Uint8Array[]
}

/** A hash or bytes as JSON-RPC writes them. */
export const hex0x = (bytes: Uint8Array | string): string =>
  `0x${typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('hex')}`

export const hashHeader = (header: Header, codecs: Codecs): string => toHex(blake2(codecs.encode('Header', header)))

export const headerJson = (header: Header, codecs: Codecs) => ({
  parentHash: hex0x(header.parent_hash),
  number: `0x${header.number.toString(16)}`,
  stateRoot: hex0x(header.state_root),
  extrinsicsRoot: hex0x(header.extrinsics_root),
  digest: { logs: header.digest.logs.map((item) => hex0x(codecs.encode('DigestItem', item))) },
})
