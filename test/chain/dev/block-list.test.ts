import { describe, expect, test } from 'vitest'
import type { Block } from '../../../src/chain/dev/block.ts'
import { BlockList } from '../../../src/chain/dev/block-list.ts'
import { CORE_TYPES } from '../../../src/chain/dev/core-type.ts'
import { createCodecs } from '../../../src/chain/dev/scale.ts'

const codecs = createCodecs(CORE_TYPES)
const hashAt = (number: number, branch = 'a') => branch + number.toString(16).padStart(63, '0')
const block = (number: number, branch?: string): Block => ({
  number,
  hash: hashAt(number, branch),
  header: {
    parent_hash: hashAt(Math.max(0, number - 1)),
    number,
    state_root: '0b'.repeat(32),
    extrinsics_root: '0c'.repeat(32),
    digest: { logs: [{ type: 'PreRuntime', value: [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(number & 255)] }] },
  },
  body: [Uint8Array.of(number & 255, 0, 255), new Uint8Array()],
})
const listOf = (count: number, blocksMax = 100) => {
  const list = new BlockList(blocksMax, codecs)
  for (let number = 0; number < count; number++) list.push(block(number))
  return list
}

test('a block reads the same however old it is', () => {
  const list = listOf(90)
  expect(Array.from({ length: 90 }, (_, number) => list.at(number))).toEqual(Array.from({ length: 90 }, (_, n) => block(n))) // biome-ignore format: a table
  expect(list.withHash(hashAt(7))).toEqual(block(7))
})

test('beyond the bound only hashes are left, and genesis', () => {
  const list = listOf(3_000, 5)
  expect([2_994, 2_995].map((number) => list.withHash(hashAt(number))?.number)).toEqual([undefined, 2_995])
  expect(list.at(0)).toEqual(block(0))
  expect([1, 1_023, 1_024, 2_999].map((number) => list.hashOf(number))).toEqual([1, 1_023, 1_024, 2_999].map((n) => hashAt(n))) // biome-ignore format: a table
  expect([list.hashOf(3_000), list.hashOf(-1)]).toEqual([null, null])
})

describe('a cut', () => {
  test('gives back what it takes, in its order', () => {
    const list = listOf(40)
    expect(list.cut(10)).toEqual(Array.from({ length: 30 }, (_, i) => block(10 + i)))
    expect([list.length, list.hashOf(10), list.withHash(hashAt(10))]).toEqual([10, null, null])
  })

  test('makes room for another branch', () => {
    const list = listOf(40)
    list.cut(20)
    list.push(block(20, 'b'))
    expect([list.at(20), list.withHash(hashAt(20))]).toEqual([block(20, 'b'), null])
  })
})

test('may begin with hashes whose blocks are not known', () => {
  const all = listOf(2_000).hashesTo(1_500)
  expect(all).toHaveLength(1_501 * 32)
  const list = new BlockList(100, codecs)
  list.skip(all, 1_500)
  list.push(block(1_500))
  expect([list.length, list.hashOf(1_499), list.withHash(hashAt(1_499))]).toEqual([1_501, hashAt(1_499), null])
  expect(list.at(1_500)).toEqual(block(1_500))
})
