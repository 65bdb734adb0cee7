import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Revealed, seatsOf } from '../../src/protocol/seat.ts'

const lotteryHash = new Uint8Array(32).fill(7)
const hotkey = (i: number) => i.toString(16).padStart(64, '0')
const revealedOf = (rewards: readonly (number | bigint)[]): Revealed[] =>
  rewards.map((reward, i) => ({ hotkey: hotkey(i), reward }))

test('three quarters of the seats go to those who earned most', () => {
  const revealed = revealedOf([5, 9, 1, 7, 8, 0, 0, 0])
  const seated = seatsOf({ seats: 4, revealed, lotteryHash })
  expect(seated.length).toBe(4)
  expect(seated).toEqual(expect.arrayContaining([hotkey(1), hotkey(4), hotkey(3)]))
})

test('rewards are compared exactly, and ties go to the lower hotkey', () => {
  const revealed = revealedOf([2n ** 60n, 2n ** 60n, 2n ** 60n + 1n, 1, 1, 1, 1, 1])
  const hashes = Array.from({ length: 40 }, (_, i) => new Uint8Array(32).fill(i))
  const draws = hashes.map((hash) => seatsOf({ seats: 3, revealed, lotteryHash: hash }))
  const always = revealed
    .map(({ hotkey }) => hotkey)
    .filter((hotkey) => draws.every((seated) => seated.includes(hotkey)))
  expect(always).toEqual([hotkey(0), hotkey(2)])
})

test('seats that nobody earned go to the lottery', () => {
  const revealed = revealedOf([3, ...new Array(20).fill(0)])
  const draws = Array.from({ length: 40 }, (_, i) => {
    return seatsOf({ seats: 8, revealed, lotteryHash: new Uint8Array(32).fill(i) })
  })
  expect(draws.every((seated) => seated.length === 8 && seated.includes(hotkey(0)))).toBe(true)
  const lucky = revealed.filter(({ hotkey }) => draws.every((seated) => seated.includes(hotkey)))
  expect(lucky.length).toBe(1)
})

test.each<[why: string, seats: number, count: number, seated: number]>([
  ['no seats, nobody', 0, 3, 0],
  ['one seat is by lot alone', 1, 3, 1],
  ['fewer takers than seats are all seated', 9, 3, 3],
  ['nobody revealed, nobody seated', 9, 0, 0],
])('%s', (_, seats, count, seated) => {
  expect(seatsOf({ seats, revealed: revealedOf(new Array(count).fill(1)), lotteryHash }).length).toBe(seated)
})

// The expected order was computed with Python's hashlib.
test('the order of evaluation is fixed for all machines', () => {
  expect(seatsOf({ seats: 4, revealed: revealedOf([0, 0, 0, 0]), lotteryHash })).toEqual([2, 1, 3, 0].map(hotkey))
})

test('what is no block hash or no hotkey is our own mistake', () => {
  const upperCase = [{ hotkey: 'A'.repeat(64), reward: 1 }]
  expect(() => seatsOf({ seats: 1, revealed: [], lotteryHash: new Uint8Array(31) })).toThrow('block hash')
  expect(() => seatsOf({ seats: 1, revealed: upperCase, lotteryHash })).toThrow('lower-case hex')
  expect(() => seatsOf({ seats: 1, revealed: [...revealedOf([1]), ...revealedOf([2])], lotteryHash })).toThrow('one')
  expect(() => seatsOf({ seats: 0.5, revealed: [], lotteryHash })).toThrow('counted')
})

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
const rewards = fc.array(fc.nat({ max: 4 }), { maxLength: 24 })
const seats = fc.nat({ max: 16 })

test('seats are filled, nobody sits twice, and the order of arrival does not matter', () => {
  fc.assert(
    fc.property(hash, rewards, seats, (lotteryHash, list, seats) => {
      const revealed = revealedOf(list)
      const seated = seatsOf({ seats, revealed, lotteryHash })
      expect(seated.length).toBe(Math.min(seats, list.length))
      expect(new Set(seated).size).toBe(seated.length)
      expect(seatsOf({ seats, revealed: revealed.toReversed(), lotteryHash })).toEqual(seated)
    }),
  )
})

test('however many new keys commit, none of the earned seats is lost', () => {
  fc.assert(
    fc.property(hash, rewards, seats, fc.integer({ min: 1, max: 60 }), (lotteryHash, list, seats, crowd) => {
      const earned = list.map((reward, i) => ({ hotkey: hotkey(i), reward: reward + 1 }))
      const sybils = Array.from({ length: crowd }, (_, i) => ({ hotkey: hotkey(1_000 + i), reward: 0 }))
      const seated = new Set(seatsOf({ seats, revealed: [...sybils, ...earned], lotteryHash }))
      const kept = earned.filter(({ hotkey }) => seated.has(hotkey)).length
      expect(kept).toBeGreaterThanOrEqual(Math.min(earned.length, Math.floor((seats * 3) / 4)))
    }),
  )
})

test('those who stay keep their order when others drop out', () => {
  fc.assert(
    fc.property(hash, rewards, (lotteryHash, list) => {
      const revealed = revealedOf(list)
      const all = seatsOf({ seats: list.length, revealed, lotteryHash })
      const rest = revealed.filter((_, i) => i % 2 === 0)
      const some = seatsOf({ seats: list.length, revealed: rest, lotteryHash })
      expect(all.filter((key) => some.includes(key))).toEqual(some)
    }),
  )
})
