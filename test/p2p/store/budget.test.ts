import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBudget } from '../../../src/p2p/store/budget.ts'
import { expectCode } from '../../contracts/harness.ts'

const done = async () => {}
const some = async () => 600

test('what is kept free on the disk stays free, counting what is on its way there', async () => {
  const budget = createBudget({ quotaBytes: 1_000, freeBytesMin: 500 })
  await budget.spend(100, done, some)
  await expectCode(budget.spend(101, done, some), 'DISK_QUOTA')
  let finish = done
  const slow = budget.spend(60, () => new Promise((resolve) => (finish = async () => resolve())), some)
  await new Promise((resolve) => setImmediate(resolve))
  await expectCode(budget.spend(60, done, some), 'DISK_QUOTA')
  await finish()
  await slow
  expect(budget.usedBytes()).toBe(160)
})

test('the error says how much is used, and of what', async () => {
  const budget = createBudget({ quotaBytes: 100, freeBytesMin: 0 })
  budget.count(90)
  await expect(budget.spend(11, done)).rejects.toMatchObject({
    code: 'DISK_QUOTA',
    why: '11 bytes more would pass the limit; the store holds 90 of at most 100 bytes',
    data: { usedBytes: 90, quotaBytes: 100 },
  })
})

test('what was refused is not told as held, nor what is on its way', async () => {
  const budget = createBudget({ quotaBytes: 1_000, freeBytesMin: 500 })
  budget.count(30)
  const refused = { data: { usedBytes: 30 }, why: expect.stringContaining('the store holds 30 of at most') }
  await expect(budget.spend(101, done, some)).rejects.toMatchObject(refused)
  await budget.spend(60, () => expect(budget.spend(60, done, some)).rejects.toMatchObject(refused), some)
})

test.each(['ENOSPC', 'EDQUOT'])('a disk that is full says so in the same way: %s', async (code) => {
  const budget = createBudget({ quotaBytes: 100, freeBytesMin: 0 })
  const full = async () => {
    throw Object.assign(new Error(code), { code })
  }
  await expectCode(budget.spend(10, full), 'DISK_QUOTA')
  expect(budget.usedBytes()).toBe(0)
})

test('writes that come together never pass the limit, and failed ones leave nothing', async () => {
  const step = fc.record({ bytes: fc.nat(50), fails: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), fc.integer({ min: 0, max: 300 }), async (steps, quotaBytes) => {
      const budget = createBudget({ quotaBytes, freeBytesMin: 0 })
      const outcomes = await Promise.allSettled(
        steps.map(({ bytes, fails }) =>
          budget.spend(bytes, async () => {
            expect(budget.usedBytes()).toBeLessThanOrEqual(quotaBytes)
            if (fails) throw new Error('no')
          }),
        ),
      )
      const stored = steps.filter((_, i) => outcomes[i]?.status === 'fulfilled')
      expect(budget.usedBytes()).toBe(stored.reduce((sum, { bytes }) => sum + bytes, 0))
    }),
  )
})
