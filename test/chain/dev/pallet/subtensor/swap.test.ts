import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import {
  alphaPrice,
  amountToPrice,
  quote,
  swapAlpha,
  swapTao,
} from '../../../../../src/chain/dev/pallet/subtensor/swap.ts'
import { createFakeChain, subnetOf } from '../../fake-context.ts'

const TAO = 10n ** 9n
const ONE = 1n << 32n
const create = () => createFakeChain({ subnets: [subnetOf(1, 1)] }).context

test('the product of the reserves never falls, whatever is swapped', () => {
  const order = fc.tuple(fc.boolean(), fc.bigInt({ min: 1n, max: 10n ** 12n }))
  fc.assert(
    fc.property(fc.array(order, { maxLength: 20 }), (orders) => {
      const context = create()
      const product = () => context.get(s.SubnetTAO, 1) * context.get(s.SubnetAlphaIn, 1)
      let before = product()
      for (const [buys, amount] of orders) {
        if (buys) swapTao(context, 1, amount)
        else swapAlpha(context, 1, amount)
        expect(product() >= before).toBe(true)
        before = product()
      }
    }),
    { numRuns: 50 },
  )
})

test('buying raises the price and selling lowers it', () => {
  const context = create()
  expect(alphaPrice(context, 1)).toBe(ONE)
  swapTao(context, 1, 10n * TAO)
  expect(alphaPrice(context, 1)).toBeGreaterThan(ONE)
  swapAlpha(context, 1, 20n * TAO)
  expect(alphaPrice(context, 1)).toBeLessThan(ONE)
})

test('what moves the price to a limit does so, within a millionth', () => {
  const context = create()
  const upper = (TAO * 3n) / 2n
  swapTao(context, 1, amountToPrice(context, 1, 'tao', upper))
  expect(Number(alphaPrice(context, 1)) / Number(ONE)).toBeCloseTo(1.5, 6)
  expect(amountToPrice(context, 1, 'tao', TAO)).toBe(0n)
  swapAlpha(context, 1, amountToPrice(context, 1, 'alpha', TAO / 2n))
  expect(Number(alphaPrice(context, 1)) / Number(ONE)).toBeCloseTo(0.5, 6)
})

test('on the root there is no market', () => {
  const context = create()
  expect(quote(context, 0, 'tao', 5n)).toEqual({ paid: 5n, got: 5n, fee: 0n })
  expect(alphaPrice(context, 0)).toBe(ONE)
  expect([amountToPrice(context, 0, 'tao', TAO), amountToPrice(context, 0, 'tao', TAO - 1n)]).toEqual([
    2n ** 64n - 1n,
    0n,
  ])
})
