import { TypeRegistry } from '@polkadot/types'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CORE_TYPES } from '../../../src/chain/dev/core-type.ts'
import { birthOf, deathOf, readEra } from '../../../src/chain/dev/era.ts'
import { createCodecs, type EnumValue } from '../../../src/chain/dev/scale.ts'
import { toHex } from '../../../src/util/bytes.ts'
import { writeEra } from './world.ts'

const codecs = createCodecs(CORE_TYPES)
const registry = new TypeRegistry()

const period = fc.integer({ min: 2, max: 16 }).map((power) => 2 ** power)

test('a mortal era has the bytes, the birth and the death that clients compute', () => {
  fc.assert(
    fc.property(period, fc.nat(1_000_000), fc.nat(100_000), (length, made, later) => {
      const asked = registry.createType('ExtrinsicEra', { current: made, period: length })
      const theirs = registry.createType('ExtrinsicEra', asked.toU8a()) // rounded, as the chain reads it
      const step = Math.max(length >> 12, 1)
      const era = { period: length, phase: Math.floor((made % length) / step) * step }
      const encoded = codecs.encode('Era', writeEra(era))
      expect(toHex(encoded)).toBe(toHex(theirs.toU8a()))
      expect(readEra(codecs.decode('Era', encoded) as EnumValue)).toEqual(era)
      const current = made + later
      expect(birthOf(era, current)).toBe(theirs.asMortalEra.birth(current))
      expect(deathOf(era, current)).toBe(theirs.asMortalEra.death(current))
    }),
  )
})

test('while a transaction lives its birth stays the same, and then it is another', () => {
  const era = { period: 64, phase: 10 }
  expect([74, 100, 137].map((block) => birthOf(era, block))).toEqual([74, 74, 74])
  expect(birthOf(era, 138)).toBe(138)
  expect(deathOf(era, 100)).toBe(138)
})

test('before its first phase an era is born in the future', () => {
  expect(birthOf({ period: 64, phase: 10 }, 3)).toBe(10)
})

test('immortal is a zero byte', () => {
  expect(toHex(codecs.encode('Era', writeEra(null)))).toBe('00')
  expect(readEra({ type: 'Immortal', value: null })).toBeNull()
})

test.each(['4100', 'f1ff', '1000'])('a phase outside of its period is refused: %s', (hex) => {
  const value = codecs.decode('Era', Buffer.from(hex, 'hex')) as EnumValue
  expect(() => readEra(value)).toThrow('Invalid period and phase')
})
