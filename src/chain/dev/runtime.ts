/**
 * The runtime: pallets, runtime APIs and types put together, as the executor and the RPC need them.
 *
 * Calls, events and errors of all pallets become the three outer enums of a Substrate runtime. In JavaScript a call is a
 * `DecodedCall`, an event a `RuntimeEvent` and a dispatch error the `DispatchFailure` that was thrown.
 */
import { blake2AsU8a } from '@polkadot/util-crypto/blake2'
import { assert } from '../../util/assert.ts'
import { utf8 } from '../../util/bytes.ts'
import { CORE_TYPES } from './core-type.ts'
import {
  type CallSpec,
  type Context,
  type DecodedCall,
  DispatchFailure,
  type Pallet,
  type RuntimeApi,
  type TypeTable,
} from './define.ts'
import { dispatchError } from './dispatch-error.ts'
import { authorMetadata, type Metadata, type SignedExtension } from './metadata.ts'
import { type RuntimeEvent, type RuntimeVersion, runtimeVersion } from './pallet/system.ts'
import { type Codec, type Codecs, createCodecs, type EnumValue } from './scale.ts'
import { type Reader, ScaleError } from './scale-io.ts'
import { parseFields } from './type-text.ts'

export type Runtime = {
  readonly pallets: readonly Pallet[]
  readonly codecs: Codecs
  readonly extensions: readonly SignedExtension[]
  metadata(specVersion: number): Metadata
  callSpec(call: DecodedCall): CallSpec
  /** By its name in `state_call`: `SubnetInfoRuntimeApi_get_metagraph`. */
  api(method: string): RuntimeApi | null
  version(specVersion: number): RuntimeVersion
}

export type RuntimeParts = {
  readonly pallets: readonly Pallet[]
  readonly apis: readonly RuntimeApi[]
  readonly types: TypeTable
  /** What these pallets need in block 0. */
  readonly genesis: (context: Context) => void
}

/** A batch in a batch in a batch: Substrate decodes no deeper. */
const DEPTH_MAX = 256

/** In subtensor's order, which is the order of their bytes. Those of type `()` are there for the names alone. */
const EXTENSIONS: readonly SignedExtension[] = [
  { name: 'CheckNonZeroSender', extra: '()', signed: '()' },
  { name: 'CheckSpecVersion', extra: '()', signed: 'u32' },
  { name: 'CheckTxVersion', extra: '()', signed: 'u32' },
  { name: 'CheckGenesis', extra: '()', signed: 'H256' },
  { name: 'CheckMortality', extra: 'CheckMortality', signed: 'H256' },
  { name: 'CheckNonce', extra: 'CheckNonce', signed: '()' },
  { name: 'CheckWeight', extra: '()', signed: '()' },
  { name: 'ChargeTransactionPayment', extra: 'ChargeTransactionPayment', signed: '()' },
  { name: 'SudoTransactionExtension', extra: '()', signed: '()' },
  { name: 'CheckShieldedTxValidity', extra: '()', signed: '()' },
  { name: 'SubtensorTransactionExtension', extra: '()', signed: '()' },
  { name: 'DrandPriority', extra: '()', signed: '()' },
  { name: 'CheckMetadataHash', extra: 'CheckMetadataHash', signed: 'Option<[u8;32]>' },
]

/** Answered by the RPC itself; here so that clients find them in the metadata. */
const BUILT_IN: readonly Pick<RuntimeApi, 'api' | 'method' | 'inputs' | 'output'>[] = [
  { api: 'Core', method: 'version', inputs: '', output: 'RuntimeVersion' },
  { api: 'Metadata', method: 'metadata', inputs: '', output: 'OpaqueMetadata' },
  { api: 'Metadata', method: 'metadata_at_version', inputs: 'version: u32', output: 'Option<OpaqueMetadata>' },
  { api: 'Metadata', method: 'metadata_versions', inputs: '', output: 'Vec<u32>' },
  { api: 'AccountNonceApi', method: 'account_nonce', inputs: 'account: AccountId32', output: 'u32' },
  {
    api: 'TransactionPaymentApi',
    method: 'query_info',
    inputs: 'uxt: UncheckedExtrinsic, len: u32',
    output: 'RuntimeDispatchInfo',
  },
  {
    api: 'TransactionPaymentApi',
    method: 'query_fee_details',
    inputs: 'uxt: UncheckedExtrinsic, len: u32',
    output: 'FeeDetails',
  },
]

/** Clients know these by version; those that are not named are at version 1. */
const API_VERSIONS: { readonly [name: string]: number } = { Core: 5, Metadata: 2, TransactionPaymentApi: 4 }

export function createRuntime(pallets: readonly Pallet[], apis: readonly RuntimeApi[], types: TypeTable): Runtime {
  const table = { ...CORE_TYPES, ...types, ...outerTypes(pallets) }
  const plain = createCodecs(table)
  // The special codecs need the codecs of what is inside of them, so they find them when they are used.
  const codecs: Codecs = createCodecs(
    table,
    new Map([
      ['RuntimeCall', callCodec(pallets, (type) => codecs.codec(type))],
      ['RuntimeEvent', eventCodec(pallets, (type) => codecs.codec(type))],
      ['DispatchError', errorCodec(pallets, plain)],
    ]),
  )
  const byMethod = new Map(apis.map((each) => [`${each.api}_${each.method}`, each]))
  const specs = new Map(pallets.flatMap((p) => p.calls.map((call) => [`${p.name}.${call.name}`, call])))
  const names = [...new Set([...BUILT_IN, ...apis].map((each) => each.api))]
  const ids = names.map((name) => [blake2AsU8a(utf8(name), 64), API_VERSIONS[name] ?? 1] as const)
  const version = (specVersion: number) => runtimeVersion(specVersion, ids)
  const authored = new Map<number, Metadata>()
  const author = (specVersion: number): Metadata =>
    authorMetadata({
      pallets: pallets.map((pallet) => withVersion(pallet, version(specVersion))),
      apis: [...BUILT_IN, ...apis],
      types: table,
      extensions: EXTENSIONS,
      codecs,
    })
  return {
    pallets,
    codecs,
    extensions: EXTENSIONS,
    metadata: (specVersion) => {
      const known = authored.get(specVersion) ?? author(specVersion)
      authored.set(specVersion, known)
      return known
    },
    callSpec: ({ pallet, name }) => {
      const spec = specs.get(`${pallet}.${name}`)
      assert(spec !== undefined, `a call that was decoded exists: ${pallet}.${name}`)
      return spec
    },
    api: (method) => byMethod.get(method) ?? null,
    version,
  }
}

/** The one constant that changes with an upgrade. */
function withVersion(pallet: Pallet, value: RuntimeVersion): Pallet {
  if (pallet.name !== 'System') return pallet
  const version = { name: 'Version', type: 'RuntimeVersion', value }
  return { ...pallet, constants: [...pallet.constants.filter(({ name }) => name !== 'Version'), version] }
}

const CRATES: { readonly [pallet: string]: string } = { System: 'frame_system', SubtensorModule: 'pallet_subtensor' }
const crateOf = (pallet: string) =>
  CRATES[pallet] ?? `pallet_${pallet.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase()}`

/** `RuntimeCall`, `RuntimeEvent` and `RuntimeError`, and the enums of the pallets inside of them. */
function outerTypes(pallets: readonly Pallet[]): TypeTable {
  const kinds = [
    ['Call', (p: Pallet) => p.calls.map(({ index, name, args }) => `${index} ${name}${braced(args)}`)],
    ['Event', (p: Pallet) => p.events.map(({ index, name, fields }) => `${index} ${name}${braced(fields)}`)],
    ['Error', (p: Pallet) => p.errors.map(({ index, name }) => `${index} ${name}`)],
  ] as const
  const types: { [name: string]: { readonly path: string; readonly type: string } } = {}
  for (const [kind, variantsOf] of kinds) {
    const outer: string[] = []
    for (const pallet of pallets) {
      const variants = variantsOf(pallet)
      if (variants.length === 0) continue
      const name = `${pallet.name}.${kind}`
      types[name] = { path: `${crateOf(pallet.name)}::pallet::${kind}`, type: `enum {${variants.join(', ')}}` }
      outer.push(`${pallet.index} ${pallet.name}(${name})`)
    }
    types[`Runtime${kind}`] = { path: `node_subtensor_runtime::Runtime${kind}`, type: `enum {${outer.join(', ')}}` }
  }
  return types
}

const braced = (fields: string) => (fields === '' ? '' : `{${fields}}`)

type Find = (type: string) => Codec

/** Looks a pallet and one of its things up by name or by index. */
function directory<T extends { readonly index: number; readonly name: string }>(
  pallets: readonly Pallet[],
  thingsOf: (pallet: Pallet) => readonly T[],
) {
  const entries = pallets.flatMap((pallet) => thingsOf(pallet).map((thing) => ({ pallet, thing })))
  const byName = new Map(entries.map((entry) => [`${entry.pallet.name}.${entry.thing.name}`, entry]))
  const byIndex = new Map(entries.map((entry) => [entry.pallet.index * 256 + entry.thing.index, entry]))
  return {
    named: (pallet: string, name: string) => {
      const entry = byName.get(`${pallet}.${name}`)
      assert(entry !== undefined, `it is in the table of its pallet: ${pallet}.${name}`)
      return entry
    },
    read: (reader: Reader) => {
      const entry = byIndex.get(reader.u8() * 256 + reader.u8())
      if (entry === undefined) throw new ScaleError('no such pallet, or nothing in it with that index')
      return entry
    },
  }
}

function callCodec(pallets: readonly Pallet[], find: Find): Codec {
  const calls = directory(pallets, (pallet) => pallet.calls)
  return {
    encode: (writer, value) => {
      const call = value as DecodedCall
      const { pallet, thing } = calls.named(call.pallet, call.name)
      writer.u8(pallet.index)
      writer.u8(thing.index)
      if (thing.args !== '') find(`{${thing.args}}`).encode(writer, call.args)
    },
    decode: (reader): DecodedCall => {
      if (++reader.depth > DEPTH_MAX) throw new ScaleError('calls are nested too deeply')
      const { pallet, thing } = calls.read(reader)
      const args = thing.args === '' ? {} : (find(`{${thing.args}}`).decode(reader) as DecodedCall['args'])
      reader.depth--
      return { pallet: pallet.name, name: thing.name, args }
    },
  }
}

/** Fields without names are taken in the order in which they were given. */
function eventCodec(pallets: readonly Pallet[], find: Find): Codec {
  const events = directory(pallets, (pallet) => pallet.events)
  const isNamed = (fields: string) => parseFields(fields).every((field) => field.name !== null)
  const codecOf = (fields: string) => find(isNamed(fields) ? `{${fields}}` : `(${fields})`)
  return {
    encode: (writer, value) => {
      const event = value as RuntimeEvent
      const { pallet, thing } = events.named(event.pallet, event.name)
      writer.u8(pallet.index)
      writer.u8(thing.index)
      if (thing.fields === '') return
      codecOf(thing.fields).encode(writer, isNamed(thing.fields) ? event.fields : Object.values(event.fields))
    },
    decode: (reader): RuntimeEvent => {
      const { pallet, thing } = events.read(reader)
      const fields = thing.fields === '' ? {} : codecOf(thing.fields).decode(reader)
      return { pallet: pallet.name, name: thing.name, fields: { ...(fields as RuntimeEvent['fields']) } }
    },
  }
}

/** Written from the failure that was thrown, read as the enum that clients see. */
function errorCodec(pallets: readonly Pallet[], plain: Codecs): Codec {
  const codec = plain.codec('DispatchError')
  return {
    encode: (writer, value) =>
      codec.encode(writer, value instanceof DispatchFailure ? dispatchError(value, pallets) : value),
    decode: (reader) => codec.decode(reader) as EnumValue,
  }
}
