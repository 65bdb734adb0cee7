import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { draft } from '../../../src/gpu/evaluate/select.ts'

describe('experts are divided among domains', () => {
  test('each gets those that it uses more than the others', () => {
    const gates = [
      [0.5, 0.3, 0.1, 0.1],
      [0.1, 0.1, 0.5, 0.3],
    ]
    expect(draft(gates, 1, 0)).toEqual([[0], [2]])
    expect(draft(gates, 2, 0)).toEqual([
      [0, 1],
      [2, 3],
    ])
  })

  test('neither what everybody needs is first, nor what hardly anybody asks', () => {
    const shared = 0
    const rare = 1
    const gates = [
      [0.5, 0.01, 0.35, 0.14],
      [0.5, 0, 0.1, 0.4],
    ]
    for (const own of draft(gates, 1, 0)) expect(own.some((expert) => [shared, rare].includes(expert))).toBe(false)
  })

  test('one domain alone gets what it uses most', () => {
    expect(draft([[0.1, 0.4, 0.2, 0.3]], 2, 0)).toEqual([[1, 3]])
  })

  test('who wants the same takes turns, and who begins changes', () => {
    const same = [0.4, 0.3, 0.2, 0.1]
    expect(draft([same, same], 2, 0)).toEqual([
      [0, 3],
      [1, 2],
    ])
    expect(draft([same, same], 2, 1)).toEqual([
      [1, 2],
      [0, 3],
    ])
  })

  test('nobody shares, and everybody has as many, whatever the gates', () => {
    const drafts = fc
      .record({ domains: fc.integer({ min: 1, max: 5 }), count: fc.integer({ min: 1, max: 4 }), more: fc.nat(6) })
      .chain(({ domains, count, more }) => {
        const experts = domains * count + more
        const gate = fc.double({ min: 0, max: 1, noNaN: true })
        const row = fc.array(gate, { minLength: experts, maxLength: experts })
        const gates = fc.array(row, { minLength: domains, maxLength: domains })
        return fc.record({ gates, count: fc.constant(count), beginner: fc.nat(9) })
      })
    fc.assert(
      fc.property(drafts, ({ gates, count, beginner }) => {
        const made = draft(gates, count, beginner)
        expect(made.map((own) => own.length)).toEqual(gates.map(() => count))
        expect(new Set(made.flat()).size).toBe(gates.length * count)
      }),
    )
  })
})
