import { expect, test } from 'vitest'
import { createRandom } from '../../src/sim/random.ts'
import { concat, toHex } from '../../src/util/bytes.ts'

const draws = (seed: string, count = 100): readonly number[] => {
  const random = createRandom(seed)
  return Array.from({ length: count }, () => random.next())
}

test('the same seed gives the same stream, another seed another one', () => {
  expect(draws('1')).toEqual(draws('1'))
  expect(draws('1')).not.toEqual(draws('2'))
})

test('a stream does not depend on how it is cut', () => {
  const [whole, parts] = [createRandom('1').bytes(200), createRandom('1')]
  expect(concat(...[1, 0, 31, 32, 33, 64, 39].map((length) => parts.bytes(length)))).toEqual(whole)
})

test('a fork is the same whatever was drawn before, and its own draws change nothing in the stream it came from', () => {
  const [quiet, busy] = [createRandom('1'), createRandom('1')]
  busy.bytes(77)
  const before = createRandom('1')
  before.bytes(77)
  expect(toHex(busy.fork('part').bytes(64))).toBe(toHex(quiet.fork('part').bytes(64)))
  busy.fork('other').bytes(1_000)
  expect(busy.next()).toBe(before.next())
})

test('forks of other names, other seeds and other depths have nothing in common', () => {
  const root = createRandom('1')
  const streams = [
    root,
    root.fork('a'),
    root.fork('b'),
    root.fork('a').fork('a'),
    root.fork('a/b'),
    createRandom('2').fork('a'),
  ].map((random) => toHex(random.bytes(32)))
  expect(new Set(streams).size).toBe(streams.length)
})

test('numbers keep to their range and fill it', () => {
  const random = createRandom('range')
  const [units, dice] = [draws('range', 10_000), Array.from({ length: 6_000 }, () => random.integer(6))]
  expect(Math.min(...units)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...units)).toBeLessThan(1)
  expect(units.reduce((sum, unit) => sum + unit, 0) / units.length).toBeCloseTo(0.5, 1)
  expect(new Set(dice)).toEqual(new Set([0, 1, 2, 3, 4, 5]))
})
