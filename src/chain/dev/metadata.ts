/**
 * Authors the metadata that clients decode, from the same tables that drive the chain.
 *
 * The format is described in the type texts of our own codecs: V15, which has runtime APIs, and V14 for clients that ask
 * for metadata in the old way. Some types carry parameters because clients derive their own types from these.
 */
import { assert } from '../../util/assert.ts'
import { concat } from '../../util/bytes.ts'
import type { ConstantSpec, Pallet, RuntimeApi, StorageItem, TypeTable } from './define.ts'
import { type Codecs, createCodecs, type EnumValue } from './scale.ts'
import { type CollectionName, type Field, itemOf, parseFields, parseType, type Shape } from './type-text.ts'

/** In the order in which a transaction carries them. `extra` is inside of it, `signed` only under the signature. */
export type SignedExtension = { readonly name: string; readonly extra: string; readonly signed: string }

export type MetadataInput = {
  readonly pallets: readonly Pallet[]
  readonly apis: readonly Pick<RuntimeApi, 'api' | 'method' | 'inputs' | 'output'>[]
  readonly types: TypeTable
  readonly extensions: readonly SignedExtension[]
  readonly codecs: Codecs
}

const MAGIC = Uint8Array.from([0x6d, 0x65, 0x74, 0x61]) // "meta"
const ID = 'Compact<u32>'
const DOCS = 'Vec<str>'

const FORMAT: TypeTable = Object.fromEntries(
  Object.entries({
    PortableType: `{id: ${ID}, path: Vec<str>, params: Vec<Parameter>, def: Definition, docs: ${DOCS}}`,
    Parameter: `{name: str, type: Option<${ID}>}`,
    Definition: `enum {0 Composite(Vec<Field>), 1 Variant(Vec<Variant>), 2 Sequence(${ID}), 3 Array{length: u32, of: ${ID}},
      4 Tuple(Vec<${ID}>), 5 Primitive(u8), 6 Compact(${ID})}`,
    Field: `{name: Option<str>, type: ${ID}, typeName: Option<str>, docs: ${DOCS}}`,
    Variant: `{name: str, fields: Vec<Field>, index: u8, docs: ${DOCS}}`,
    Storage: `{prefix: str, entries: Vec<{name: str, modifier: u8, type: StorageType, fallback: Vec<u8>, docs: ${DOCS}}>}`,
    StorageType: `enum {0 Plain(${ID}), 1 Map{hashers: Vec<u8>, key: ${ID}, value: ${ID}}}`,
    PalletV14: `{name: str, storage: Option<Storage>, calls: Option<${ID}>, events: Option<${ID}>,
      constants: Vec<{name: str, type: ${ID}, value: Vec<u8>, docs: ${DOCS}}>, errors: Option<${ID}>, index: u8}`,
    Extension: `{name: str, extra: ${ID}, signed: ${ID}}`,
    Api: `{name: str, methods: Vec<{name: str, inputs: Vec<{name: str, type: ${ID}}>, output: ${ID}, docs: ${DOCS}}>, docs: ${DOCS}}`,
    V14: `{types: Vec<PortableType>, pallets: Vec<PalletV14>,
      extrinsic: {type: ${ID}, version: u8, extensions: Vec<Extension>}, runtime: ${ID}}`,
    V15: `{types: Vec<PortableType>, pallets: Vec<{pallet: PalletV14, docs: ${DOCS}}>,
      extrinsic: {version: u8, address: ${ID}, call: ${ID}, signature: ${ID}, extra: ${ID}, extensions: Vec<Extension>},
      runtime: ${ID}, apis: Vec<Api>, outer: {calls: ${ID}, events: ${ID}, errors: ${ID}}, custom: Vec<u8>}`,
  }).map(([name, type]) => [name, { path: name, type }]),
)

const PRIMITIVES = 'bool char str u8 u16 u32 u64 u128 u256 i8 i16 i32 i64 i128 i256'.split(' ')
const HASHERS = ['Blake2_128', 'Blake2_256', 'Blake2_128Concat', 'Twox128', 'Twox256', 'Twox64Concat', 'Identity']
const EXTRINSIC_VERSION = 4

/** polkadot.js takes the types of addresses, calls, signatures and events from these parameters. */
const PARAMETERS: { readonly [name: string]: readonly (readonly [name: string, type: string])[] } = {
  MultiAddress: [
    ['AccountId', 'AccountId32'],
    ['AccountIndex', '()'],
  ],
  EventRecord: [
    ['E', 'RuntimeEvent'],
    ['T', 'H256'],
  ],
  HoldAmount: [['Id', 'RuntimeHoldReason']],
  FreezeAmount: [['Id', 'RuntimeFreezeReason']],
  UncheckedExtrinsic: [
    ['Address', 'MultiAddress'],
    ['Call', 'RuntimeCall'],
    ['Signature', 'MultiSignature'],
    ['Extra', 'SignedExtra'],
  ],
}

export type Metadata = { readonly v14: Uint8Array; readonly v15: Uint8Array }

export function authorMetadata({ pallets, apis, types, extensions, codecs }: MetadataInput): Metadata {
  const extra: TypeTable = {
    SignedExtra: { path: '', type: `(${extensions.map((extension) => extension.extra).join(',')})` },
    UncheckedExtrinsic: { path: 'sp_runtime::generic::unchecked_extrinsic::UncheckedExtrinsic', type: 'Vec<u8>' },
    Runtime: { path: 'node_subtensor_runtime::Runtime', type: '{}' },
  }
  const registry = createRegistry({ ...types, ...extra })
  const { id } = registry
  const palletsV14 = pallets.map((pallet) => describePallet(pallet, id, codecs))
  const described = extensions.map(({ name, extra, signed }) => ({ name, extra: id(extra), signed: id(signed) }))
  const outer = { calls: id('RuntimeCall'), events: id('RuntimeEvent'), errors: id('RuntimeError') }
  const v15 = {
    pallets: palletsV14.map((pallet) => ({ pallet, docs: [] })),
    extrinsic: {
      version: EXTRINSIC_VERSION,
      address: id('MultiAddress'),
      call: outer.calls,
      signature: id('MultiSignature'),
      extra: id('SignedExtra'),
      extensions: described,
    },
    runtime: id('Runtime'),
    apis: describeApis(apis, id),
    outer,
    custom: new Uint8Array(),
  }
  const v14 = {
    pallets: palletsV14,
    extrinsic: { type: id('UncheckedExtrinsic'), version: EXTRINSIC_VERSION, extensions: described },
    runtime: v15.runtime,
  }
  const format = createCodecs(FORMAT)
  const portable = registry.all()
  return {
    v14: concat(MAGIC, Uint8Array.of(14), format.encode('V14', { ...v14, types: portable })),
    v15: concat(MAGIC, Uint8Array.of(15), format.encode('V15', { ...v15, types: portable })),
  }
}

type Id = (type: string) => number
type Described = Pick<PortableType, 'path' | 'params' | 'def'>
type PortableType = {
  readonly id: number
  readonly path: readonly string[]
  readonly params: readonly { readonly name: string; readonly type: number }[]
  readonly def: EnumValue
  readonly docs: readonly string[]
}

/** Numbers types as they are met. */
function createRegistry(types: TypeTable): { readonly id: Id; readonly all: () => readonly PortableType[] } {
  const ids = new Map<string, number>()
  const made: (PortableType | null)[] = []
  const id: Id = (type) => {
    const key = type.replace(/\s+/g, '')
    const known = ids.get(key)
    if (known !== undefined) return known
    const fresh = made.length
    ids.set(key, fresh) // before what is inside, because a type may contain itself
    made.push(null)
    made[fresh] = { id: fresh, docs: [], ...portable(type, types, id) }
    return fresh
  }
  return {
    id,
    all: () =>
      made.map((type) => {
        assert(type !== null, 'every type that was met is described')
        return type
      }),
  }
}

function portable(type: string, types: TypeTable, id: Id): Described {
  const shape = parseType(type)
  if (shape.kind === 'option') {
    const variants = [variant('None', 0, [], id), variant('Some', 1, [{ name: null, type: shape.of }], id)]
    return { path: ['Option'], params: parameters([['T', shape.of]], id), def: { type: 'Variant', value: variants } }
  }
  if (shape.kind === 'result') {
    const { ok, error } = shape
    const pair = [
      ['T', ok],
      ['E', error],
    ] as const
    const variants = [
      variant('Ok', 0, [{ name: null, type: ok }], id),
      variant('Err', 1, [{ name: null, type: error }], id),
    ]
    return { path: ['Result'], params: parameters(pair, id), def: { type: 'Variant', value: variants } }
  }
  if (shape.kind === 'collection') return collection(shape, id)
  if (shape.kind !== 'named') return { path: [], params: [], def: definition(shape, id) }
  const named = types[shape.name]
  assert(named !== undefined, `a type is in the table: ${shape.name}`)
  const params = parameters(PARAMETERS[shape.name] ?? [], id)
  return { path: named.path.split('::').filter((part) => part !== ''), params, def: namedDefinition(named.type, id) }
}

const COLLECTIONS: {
  readonly [name in CollectionName]: { readonly path: readonly string[]; readonly names: readonly string[] }
} = {
  BTreeSet: { path: ['BTreeSet'], names: ['T'] },
  BTreeMap: { path: ['BTreeMap'], names: ['K', 'V'] },
  BoundedVec: { path: ['bounded_collections', 'bounded_vec', 'BoundedVec'], names: ['T'] },
}

function collection({ name, of }: Extract<Shape, { kind: 'collection' }>, id: Id): Described {
  const { path, names } = COLLECTIONS[name]
  const params = parameters(
    names.map((parameter, i) => [parameter, of[i] as string]),
    id,
  )
  return { path, params, def: { type: 'Composite', value: [field({ name: null, type: `Vec<${itemOf(of)}>` }, id)] } }
}

/** A name for something that is neither struct nor enum is what Rust calls a newtype, except for a tuple. */
function namedDefinition(type: string, id: Id): EnumValue {
  const shape = parseType(type)
  if (shape.kind === 'struct' || shape.kind === 'enum' || shape.kind === 'tuple') return definition(shape, id)
  return { type: 'Composite', value: [field({ name: null, type }, id)] }
}

function definition(shape: Exclude<Shape, { kind: 'option' | 'result' | 'collection' | 'named' }>, id: Id): EnumValue {
  switch (shape.kind) {
    case 'bool':
    case 'str':
      return { type: 'Primitive', value: PRIMITIVES.indexOf(shape.kind) }
    case 'integer':
      return { type: 'Primitive', value: PRIMITIVES.indexOf(shape.name) }
    case 'compact':
      return { type: 'Compact', value: id(shape.of) }
    case 'sequence':
      return { type: 'Sequence', value: id(shape.of) }
    case 'array':
      return { type: 'Array', value: { length: shape.length, of: id(shape.of) } }
    case 'tuple':
      return { type: 'Tuple', value: shape.of.map(id) }
    case 'struct':
      return { type: 'Composite', value: shape.fields.map((each) => field(each, id)) }
    case 'enum':
      return {
        type: 'Variant',
        value: shape.variants.map(({ name, index, fields }) => variant(name, index, fields, id)),
      }
    default:
      return shape satisfies never
  }
}

const field = ({ name, type }: Field, id: Id) => ({ name, type: id(type), typeName: type, docs: [] })
const variant = (name: string, index: number, fields: readonly Field[], id: Id) => ({
  name,
  index,
  fields: fields.map((each) => field(each, id)),
  docs: [],
})
const parameters = (list: readonly (readonly [string, string])[], id: Id) =>
  list.map(([name, type]) => ({ name, type: id(type) }))

function describePallet(pallet: Pallet, id: Id, codecs: Codecs) {
  const { name, index, storage, calls, events, errors, constants } = pallet
  const entries = storage.map((item) => describeItem(item, id, codecs))
  return {
    name,
    index,
    storage: storage.length === 0 ? null : { prefix: name, entries },
    calls: calls.length === 0 ? null : id(`${name}.Call`),
    events: events.length === 0 ? null : id(`${name}.Event`),
    errors: errors.length === 0 ? null : id(`${name}.Error`),
    constants: constants.map((constant: ConstantSpec) => ({
      name: constant.name,
      type: id(constant.type),
      value: codecs.encode(constant.type, constant.value),
      docs: [],
    })),
  }
}

function describeItem(item: StorageItem<readonly unknown[], unknown>, id: Id, codecs: Codecs) {
  const { name, keys, type, fallback, optional } = item
  const [first] = keys
  const keyType = keys.length === 1 ? (first?.type as string) : `(${keys.map((key) => key.type).join(',')})`
  const hashers = Uint8Array.from(keys, (key) => HASHERS.indexOf(key.hasher))
  return {
    name,
    modifier: optional ? 0 : 1,
    type:
      first === undefined
        ? { type: 'Plain', value: id(type) }
        : { type: 'Map', value: { hashers, key: id(keyType), value: id(type) } },
    fallback: optional ? Uint8Array.of(0) : codecs.encode(type, fallback),
    docs: [],
  }
}

function describeApis(apis: MetadataInput['apis'], id: Id) {
  const names = [...new Set(apis.map((each) => each.api))]
  return names.map((name) => ({
    name,
    methods: apis
      .filter((each) => each.api === name)
      .map(({ method, inputs, output }) => ({
        name: method,
        inputs: parseFields(inputs).map((input) => ({ name: input.name ?? '', type: id(input.type) })),
        output: id(output),
        docs: [],
      })),
    docs: [],
  }))
}
