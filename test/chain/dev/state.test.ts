import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { item, optional } from '../../../src/chain/dev/define.ts'
import { createCodecs } from '../../../src/chain/dev/scale.ts'
import { State } from '../../../src/chain/dev/state.ts'
import { type AnyItem, prefixOf } from '../../../src/chain/dev/storage-key.ts'

const Plain = item<[], number>('P', 'Plain', '', 'u32', 7)
const Map1 = item<[number], number>('P', 'Map1', 'Twox64Concat u16', 'u32', 0)
const Map2 = optional<[number, number], number>('P', 'Map2', 'Identity u16, Identity u16', 'u32')
const Odd = item<[{ type: string; value: unknown }], number>('P', 'Odd', 'Identity Kind', 'u8', 0)
const items = [Plain, Map1, Map2, Odd] as readonly AnyItem[]
const codecs = createCodecs({ Kind: { path: '', type: 'enum {0 A(u8), 1 B(u8)}' } })

let state: State
beforeEach(() => {
  state = new State(items, codecs, 10)
  state.begin(0)
})
const keysOf = (of: unknown, block: number) => state.keysAt(prefixOf(of as AnyItem), block, '', 1000)

describe('values', () => {
  test('what is absent reads as its fallback', () => {
    expect([state.get(Plain), state.get(Map1, 3), state.get(Map2, 1, 2)]).toEqual([7, 0, null])
    expect(state.bytesAt(prefixOf(Plain), 0)).toBeNull()
  })

  test('what was set is read, and encoded when it is asked for', () => {
    state.set(Plain, [], 258)
    state.set(Map2, [1, 2], 5)
    expect([state.get(Plain), state.get(Map2, 1, 2)]).toEqual([258, 5])
    expect(state.bytesAt(prefixOf(Plain), 0)).toBe('02010000')
  })

  test('removing brings the fallback back', () => {
    state.set(Map1, [3], 9)
    state.remove(Map1, [3])
    state.remove(Map1, [4])
    expect([state.get(Map1, 3), [...state.entries(Map1)]]).toEqual([0, []])
  })

  test('entries can be asked for by their first keys', () => {
    for (const [a, b] of [[1, 1], [1, 2], [2, 1]] as const) state.set(Map2, [a, b], 10 * a + b) // biome-ignore format: a row
    expect([...state.entries(Map2, 1)]).toEqual([
      [[1, 1], 11],
      [[1, 2], 12],
    ])
    expect([...state.entries(Map2)]).toHaveLength(3)
  })

  test('keys may be enums', () => {
    state.set(Odd, [{ type: 'A', value: 1 }], 1)
    state.set(Odd, [{ type: 'B', value: 1 }], 2)
    expect([state.get(Odd, { type: 'A', value: 1 }), state.get(Odd, { type: 'B', value: 1 })]).toEqual([1, 2])
  })

  test('an item that was written down twice is one item', () => {
    const again = item<[], number>('P', 'Plain', '', 'u32', 7)
    state.set(again, [], 8)
    expect(state.get(Plain)).toBe(8)
  })

  test('an item that is in no table is a bug', () => {
    expect(() => state.get(item<[], number>('P', 'Other', '', 'u32', 7))).toThrow('broken invariant')
  })
})

describe('history', () => {
  test('every block keeps what it left', () => {
    for (let block = 1; block <= 5; block++) {
      state.begin(block)
      if (block % 2 === 1) state.set(Plain, [], block)
    }
    expect([0, 1, 2, 3, 4, 5].map((block) => state.at(block).get(Plain))).toEqual([7, 1, 1, 3, 3, 5])
    expect(state.bytesAt(prefixOf(Plain), 4)).toBe('03000000')
  })

  test('an entry that is gone was there before', () => {
    state.set(Map1, [1], 1)
    state.begin(1)
    state.remove(Map1, [1])
    expect([state.at(0).get(Map1, 1), state.at(1).get(Map1, 1)]).toEqual([1, 0])
    expect([keysOf(Map1, 0).length, keysOf(Map1, 1).length]).toEqual([1, 0])
    expect([...state.at(0).entries(Map1)]).toEqual([[[1], 1]])
  })

  test('what is older than the history is forgotten, except for what still holds', () => {
    state.set(Map1, [1], 1)
    state.set(Map1, [2], 1)
    state.begin(1)
    state.set(Map1, [1], 2)
    state.remove(Map1, [2])
    for (let block = 2; block <= 11; block++) state.begin(block)
    expect(state.get(Map1, 1)).toBe(2)
    expect(state.at(1).get(Map1, 1)).toBe(2)
    expect(state.at(0).get(Map1, 1)).toBe(0)
    expect(state.allAt(11)).toHaveLength(1)
  })

  test('it tells what a block changed', () => {
    state.begin(1)
    state.set(Plain, [], 1)
    state.set(Plain, [], 2)
    state.set(Map1, [1], 1)
    state.remove(Map1, [1])
    expect(state.changesOf(1)).toEqual([
      { key: prefixOf(Plain), value: '02000000' },
      { key: expect.stringContaining(prefixOf(Map1 as AnyItem)), value: null },
    ])
  })

  test('blocks can be taken back', () => {
    state.set(Plain, [], 1)
    state.begin(1)
    state.set(Plain, [], 2)
    state.set(Map1, [1], 1)
    state.begin(2)
    state.remove(Plain, [])
    state.revert(0)
    expect([state.get(Plain), state.get(Map1, 1)]).toEqual([1, 0])
    state.begin(1)
    state.set(Map1, [1], 4)
    expect(state.at(1).get(Map1, 1)).toBe(4)
  })
})

describe('the journal', () => {
  test('rolls back to a mark, and within a mark to another', () => {
    state.set(Plain, [], 1)
    const outer = state.mark()
    state.set(Plain, [], 2)
    state.set(Map1, [1], 1)
    const inner = state.mark()
    state.remove(Map1, [1])
    state.set(Map1, [2], 2)
    state.rollback(inner)
    expect([state.get(Map1, 1), state.get(Map1, 2)]).toEqual([1, 0])
    state.rollback(outer)
    expect([state.get(Plain), state.get(Map1, 1), state.allAt(0).length]).toEqual([1, 0, 1])
    expect(state.changesOf(0)).toHaveLength(1)
  })
})

describe('keys', () => {
  test('come in their order, page by page', () => {
    for (let key = 0; key < 20; key++) state.set(Map2, [key % 5, key], key)
    state.set(Plain, [], 1)
    const all = keysOf(Map2, 0)
    expect(all).toHaveLength(20)
    expect(all).toEqual([...all].sort())
    const pages: string[] = []
    for (let start = ''; ; start = pages.at(-1) ?? '') {
      const page = state.keysAt(prefixOf(Map2 as AnyItem), 0, start, 3)
      if (page.length === 0) break
      pages.push(...page)
    }
    expect(pages).toEqual(all)
    expect(state.keysAt('', 0, '', 1000)).toHaveLength(21)
    expect(state.keysAt(`${prefixOf(Map2 as AnyItem)}0100`, 0, '', 1000)).toHaveLength(4)
  })

  test('that nobody made are simply absent', () => {
    state.set(Map1, [1], 1)
    for (const key of ['', 'ff', prefixOf(Map1 as AnyItem), `${prefixOf(Map1 as AnyItem)}${'00'.repeat(8)}0100`]) {
      expect(state.bytesAt(key, 0)).toBeNull()
    }
  })
})

test('the state at any block is what a plain model says', () => {
  const step = fc.tuple(fc.constantFrom('set', 'remove', 'block', 'fail', 'revert'), fc.nat(3), fc.nat(99))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const real = new State(items, codecs, 1000)
      real.begin(0)
      const model: Map<number, number>[] = [new Map()]
      const last = () => model.at(-1) as Map<number, number>
      for (const [kind, key, value] of steps) {
        if (kind === 'set') last().set(key, value)
        if (kind === 'set') real.set(Map1, [key], value)
        if (kind === 'remove') last().delete(key)
        if (kind === 'remove') real.remove(Map1, [key])
        if (kind === 'fail') {
          const mark = real.mark()
          real.set(Map1, [key], value)
          real.remove(Map1, [(key + 1) % 4])
          real.rollback(mark)
        }
        if (kind === 'block') real.begin(model.push(new Map(last())) - 1)
        if (kind === 'revert') {
          model.length = Math.max(1, model.length - key)
          real.revert(model.length - 1)
          real.begin(model.push(new Map(last())) - 1)
        }
      }
      for (const [block, entries] of model.entries()) {
        const found = [...real.at(block).entries(Map1)].map(([[key], value]) => [key, value])
        expect(found.sort()).toEqual([...entries].sort())
        expect(real.keysAt(prefixOf(Map1 as AnyItem), block, '', 99)).toHaveLength(entries.size)
      }
    }),
  )
})

test('what was written to disk is the same when it is loaded', () => {
  state.set(Plain, [], 1)
  state.set(Map2, [1, 2], 3)
  state.set(Odd, [{ type: 'B', value: 2 }], 4)
  const loaded = new State(items, codecs, 10)
  loaded.begin(5)
  expect(loaded.load(state.allAt(0))).toBe(true)
  expect(loaded.allAt(5)).toEqual(state.allAt(0))
  expect([loaded.get(Plain), loaded.get(Map2, 1, 2), loaded.get(Odd, { type: 'B', value: 2 })]).toEqual([1, 3, 4])
  expect(loaded.load([{ key: '00'.repeat(32), value: '00' }])).toBe(false)
})
