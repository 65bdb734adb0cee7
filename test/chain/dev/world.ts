/** A development chain in memory without sockets, and transactions for it that no library of a client has touched. */
import { Keyring } from '@polkadot/keyring'
import type { Chain } from '../../../src/chain/dev/chain.ts'
import type { DecodedCall } from '../../../src/chain/dev/define.ts'
import { birthOf, type Era } from '../../../src/chain/dev/era.ts'
import { signedPayload } from '../../../src/chain/dev/extrinsic.ts'
import { type DevChainOptions, NO_PARTS, openChain } from '../../../src/chain/dev/index.ts'
import type { EventRecord } from '../../../src/chain/dev/pallet/system.ts'
import { Account, Events } from '../../../src/chain/dev/pallet/system.ts'
import type { EnumValue } from '../../../src/chain/dev/scale.ts'
import { Writer } from '../../../src/chain/dev/scale-io.ts'
import type { Log } from '../../../src/ports.ts'
import { concat, toHex } from '../../../src/util/bytes.ts'

export const NO_LOG: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

const sr25519 = new Keyring({ type: 'sr25519' })
const ed25519 = new Keyring({ type: 'ed25519' })
export type Pair = ReturnType<Keyring['addFromUri']>
export const alice = sr25519.addFromUri('//Alice')
export const bob = sr25519.addFromUri('//Bob')
export const edith = ed25519.addFromUri('//Edith')
export const keyOf = (pair: Pair): string => toHex(pair.publicKey)

export const ALICE = keyOf(alice)
export const BOB = keyOf(bob)
/** An account that has nothing. */
export const NOBODY = '07'.repeat(32)

/** Time in the tests: a second a block. */
export function createTestChain(options: Partial<DevChainOptions> = {}) {
  let nowMs = 1_800_000_000_000
  const { chain, close } = openChain(
    { blockMs: null, parts: NO_PARTS, ...options },
    { log: NO_LOG, nowMs: () => (nowMs += 1000) },
  )
  return { chain, close, wait: (ms: number) => (nowMs += ms) }
}

export const transferOf = (to: string, value: bigint, name = 'transfer_keep_alive'): DecodedCall => ({
  pallet: 'Balances',
  name,
  args: { dest: { type: 'Id', value: to }, value },
})
export const remark = (text = 'hello'): DecodedCall => ({
  pallet: 'System',
  name: 'remark',
  args: { remark: new TextEncoder().encode(text) },
})

export type SignOptions = {
  readonly nonce?: number
  readonly tip?: bigint
  readonly era?: Era | null
  readonly specVersion?: number
  readonly birthHash?: string
  readonly wantsMetadataHash?: boolean
}

/** A period is a power of two; phases of long periods are stored in steps. */
export function writeEra(era: Era | null): EnumValue {
  if (era === null) return { type: 'Immortal', value: null }
  const { period, phase } = era
  const encoded = Math.log2(period) - 1 + (Math.floor(phase / Math.max(period >> 12, 1)) << 4)
  return { type: `Mortal${encoded % 256}`, value: encoded >> 8 }
}

/** The next transaction of the account, unless the options say otherwise. */
export function sign(chain: Chain, pair: Pair, call: DecodedCall, options: SignOptions = {}): Uint8Array {
  const { codecs, extensions } = chain.runtime
  const { era = null, tip = 0n } = options
  const next = chain.state.get(Account, keyOf(pair)).nonce + chain.pool.readyCount(keyOf(pair))
  const values: { readonly [name: string]: unknown } = {
    CheckMortality: writeEra(era),
    CheckNonce: options.nonce ?? next,
    ChargeTransactionPayment: tip,
    CheckMetadataHash: { mode: { type: options.wantsMetadataHash === true ? 'Enabled' : 'Disabled', value: null } },
  }
  const extraBytes = concat(
    ...extensions.filter(({ extra }) => extra !== '()').map(({ name, extra }) => codecs.encode(extra, values[name])),
  )
  const callBytes = codecs.encode('RuntimeCall', call)
  const birth = era === null ? 0 : birthOf(era, chain.head().number)
  const implied = {
    specVersion: options.specVersion ?? chain.specVersionAt(chain.head().number),
    genesisHash: chain.hashOf(0) as string,
    birthHash: options.birthHash ?? (chain.hashOf(birth) as string),
  }
  const signature = pair.sign(signedPayload({ extraBytes, callBytes }, implied, chain.runtime))
  const type = pair.type === 'ed25519' ? 'Ed25519' : 'Sr25519'
  return withLength(
    Uint8Array.of(0x84),
    codecs.encode('MultiAddress', { type: 'Id', value: keyOf(pair) }),
    codecs.encode('MultiSignature', { type, value: signature }),
    extraBytes,
    callBytes,
  )
}

export function withLength(...parts: readonly Uint8Array[]): Uint8Array {
  const writer = new Writer()
  const inside = concat(...parts)
  writer.compact(inside.length)
  writer.raw(inside)
  return writer.done()
}

/** Names of the events of the last block, without those of the inherent. */
export const eventNames = (chain: Chain): readonly string[] =>
  eventsOf(chain).map(({ event }) => `${event.pallet}.${event.name}`)

export const eventsOf = (chain: Chain): readonly EventRecord[] =>
  chain.state.get(Events).filter(({ phase }) => phase.type !== 'ApplyExtrinsic' || phase.value !== 0)
