import { expect, test } from 'vitest'
import { createKnocks } from '../../src/p2p/knocks.ts'
import { KNOCKS_MAX, KNOCKS_PER_ADDRESS, REFUSED_MAX, REFUSED_MS } from '../../src/p2p/limits.ts'

function stage(privateAllowed = false) {
  let nowMs = 0
  const knocks = createKnocks(privateAllowed, { now: () => nowMs })
  const let_ = (count: number, origin: string | null, name = origin): number =>
    Array.from({ length: count }, (_, i) => knocks.lets(`${name}-${i}`, origin)).filter(Boolean).length
  return { knocks, enter: let_, pass: (ms: number) => (nowMs += ms) }
}

test('a few strangers from one address at a time, and so many in all', () => {
  const { enter } = stage()
  expect(enter(20, 'a')).toBe(KNOCKS_PER_ADDRESS)
  expect(enter(20, null)).toBe(KNOCKS_PER_ADDRESS)
  for (let i = 0; i < KNOCKS_MAX; i++) enter(KNOCKS_PER_ADDRESS, `b${i}`)
  expect(enter(1, 'c')).toBe(0)
})

test('on a laptop all have one address', () => {
  const { enter } = stage(true)
  expect(enter(100, '127.0.0.1')).toBe(KNOCKS_MAX)
})

test('who knocks twice is one, and who never came in is forgotten', () => {
  const { knocks, enter, pass } = stage()
  for (let i = 0; i < 20; i++) expect(knocks.lets('same', 'a')).toBe(true)
  expect(enter(20, 'a')).toBe(KNOCKS_PER_ADDRESS - 1)
  pass(60_000)
  expect(enter(20, 'a', 'others')).toBe(KNOCKS_PER_ADDRESS)
})

test('who is admitted makes room, and who is refused does not come back for a while', () => {
  const { knocks, enter, pass } = stage()
  enter(KNOCKS_PER_ADDRESS, 'a')
  knocks.over('a-0', 'admitted')
  knocks.over('a-1', 'refused')
  expect(['a-1', 'new', 'newer', 'newest'].map((peer) => knocks.lets(peer, 'a'))).toEqual([false, true, true, false])
  pass(REFUSED_MS - 1)
  knocks.over('a-1', 'gone')
  expect(knocks.lets('a-1', 'a')).toBe(false)
  pass(1)
  expect(knocks.lets('a-1', 'a')).toBe(true)
})

test('thousands that were refused are not remembered', () => {
  const { knocks } = stage()
  for (let i = 0; i <= REFUSED_MAX; i++) knocks.over(`peer-${i}`, 'refused')
  expect(knocks.lets('peer-0', 'a')).toBe(true)
  expect(knocks.lets(`peer-${REFUSED_MAX}`, 'a')).toBe(false)
})
