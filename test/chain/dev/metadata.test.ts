import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Metadata, TypeRegistry } from '@polkadot/types'
import { encodeTypeDef } from '@polkadot/types/create'
import type { RuntimeVersion } from '@polkadot/types/interfaces'
import { describe, expect, test } from 'vitest'
import { createDevRuntime } from '../../../src/chain/dev/index.ts'
import { SUBTENSOR_PARTS } from '../../../src/chain/dev/parts.ts'
import { toHex } from '../../../src/util/bytes.ts'

type Texts = { readonly [name: string]: string }
type RealPallet = {
  readonly index: number
  readonly calls: Texts
  readonly storage: Texts
  readonly constants: Texts
  readonly events: readonly string[]
  readonly errors: { readonly [name: string]: number }
}
const path = join(import.meta.dirname, '..', '..', 'fixtures', 'chain', 'interface.json')
const real = JSON.parse(readFileSync(path, 'utf8')) as { pallets: { [name: string]: RealPallet }; apis: Texts }

const runtime = createDevRuntime(12_000, SUBTENSOR_PARTS)
function read(bytes: Uint8Array) {
  const registry = new TypeRegistry()
  const metadata = new Metadata(registry, `0x${toHex(bytes)}`)
  registry.setMetadata(metadata)
  return { registry, metadata }
}
const { registry, metadata } = read(runtime.metadata(425).v15)
const latest = metadata.asLatest
type Pallet = (typeof latest.pallets)[number]
type TypeId = Pallet['constants'][number]['type']

const nameOf = (id: TypeId) => encodeTypeDef(registry, registry.lookup.getTypeDef(id))
const variantsOf = (of: Pallet['calls'] | Pallet['events'] | Pallet['errors']) =>
  of.isSome ? registry.lookup.getSiType(of.unwrap().type).def.asVariant.variants : []

/** polkadot.js names a fixed-point number or shows what is inside of it, as it comes. */
const plain = (text: string) =>
  text.replace(/SubstrateFixedFixed([IU]128)/g, (_, bits: string) => `{"bits":"${bits.toLowerCase()}"}`)
/** What we have that is not, or not so, on the real chain. */
const differences = (ours: readonly (readonly [string, string])[], theirs: Texts) =>
  ours.filter(([name, text]) => !plain(text).startsWith(plain(theirs[name] ?? 'nothing')))

function storageOf(pallet: Pallet) {
  return pallet.storage.unwrapOrDefault().items.map(({ name, type, modifier, fallback }) => {
    const shape = type.isPlain
      ? nameOf(type.asPlain)
      : `map ${type.asMap.hashers.map(String).join('+')} ${nameOf(type.asMap.key)} -> ${nameOf(type.asMap.value)}`
    return [String(name), `${shape} ${modifier} default=${fallback.toHex()}`] as const
  })
}

describe('what it says is what the real chain says, in', () => {
  test.each(latest.pallets.map((pallet) => [String(pallet.name), pallet] as const))('%s', (name, pallet) => {
    const theirs = real.pallets[name] ?? expect.fail('the real chain has no such pallet')
    const calls = variantsOf(pallet.calls).map((call) => {
      const args = call.fields.map((field) => `${field.name.unwrap()}: ${nameOf(field.type)}`)
      return [String(call.name), `${call.index} (${args.join(', ')})`] as const
    })
    const events = variantsOf(pallet.events).map((event) => {
      const fields = event.fields.map((field) => nameOf(field.type))
      return [String(event.index), `${event.name}(${fields.join(',')})`] as const
    })
    const errors = variantsOf(pallet.errors).map(({ name, index }) => [String(name), String(index)] as const)
    const constants = pallet.constants.map((constant) => [String(constant.name), nameOf(constant.type)] as const)
    expect(pallet.index.toNumber()).toBe(theirs.index)
    expect(differences(calls, theirs.calls)).toEqual([])
    expect(differences(events, Object.fromEntries(theirs.events.entries()))).toEqual([])
    expect(errors.filter(([name, index]) => theirs.errors[name] !== Number(index))).toEqual([])
    expect(differences(constants, theirs.constants)).toEqual([])
    expect(differences(storageOf(pallet), theirs.storage)).toEqual([])
  })

  test('its runtime APIs', () => {
    const methods = latest.apis.flatMap(({ name, methods }) =>
      methods.map((method) => {
        const inputs = method.inputs.map((input) => `${input.name}: ${nameOf(input.type)}`)
        return [`${name}.${method.name}`, `(${inputs.join(', ')}) -> ${nameOf(method.output)}`] as const
      }),
    )
    expect(methods.length).toBeGreaterThan(7)
    expect(differences(methods, real.apis)).toEqual([])
  })
})

test('version 14 says the same, for clients that ask in the old way', () => {
  const old = read(runtime.metadata(425).v14).metadata
  expect(old.version).toBe(14)
  expect(old.asLatest.pallets.toHex()).toBe(latest.pallets.toHex())
  expect(old.asLatest.extrinsic.toHex()).toBe(latest.extrinsic.toHex())
})

test('a runtime upgrade changes the version in it and nothing else', () => {
  const versionOf = (specVersion: number) => {
    const { registry, metadata } = read(runtime.metadata(specVersion).v15)
    const system = metadata.asLatest.pallets.find(({ name }) => String(name) === 'System')
    const version = system?.constants.find(({ name }) => String(name) === 'Version')
    return registry.createType<RuntimeVersion>('RuntimeVersion', version?.value.toU8a(true)).specVersion.toNumber()
  }
  expect([425, 426].map(versionOf)).toEqual([425, 426])
})

test('polkadot.js reads and writes all of it back', () => {
  expect(metadata.toHex()).toBe(`0x${toHex(runtime.metadata(425).v15)}`)
})
