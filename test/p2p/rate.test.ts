import { expect, test } from 'vitest'
import { createRates } from '../../src/p2p/rate.ts'

function stage() {
  let nowMs = 0
  const rates = createRates({ burst: 3, perSecond: 2 }, { now: () => nowMs })
  const takes = (peer: string, times: number): number =>
    Array.from({ length: times }, () => rates.takes(peer)).filter(Boolean).length
  return { takes, pass: (ms: number) => (nowMs += ms) }
}

test('so many at once, and so many a second from then on', () => {
  const { takes, pass } = stage()
  expect(takes('a', 5)).toBe(3)
  pass(500)
  expect(takes('a', 5)).toBe(1)
  pass(60_000)
  expect(takes('a', 5)).toBe(3)
})

test('what one peer has used up another still has', () => {
  const { takes } = stage()
  expect(takes('a', 5)).toBe(3)
  expect(takes('b', 1)).toBe(1)
})

test('thousands of peers are not remembered for ever, and who has nothing left is', () => {
  const { takes, pass } = stage()
  for (let i = 0; i < 2_000; i++) takes(`peer-${i}`, 1)
  expect(takes('busy', 4)).toBe(3)
  pass(100)
  for (let i = 0; i < 2_000; i++) takes(`peer-${i}`, 1)
  expect(takes('busy', 1)).toBe(0)
})
