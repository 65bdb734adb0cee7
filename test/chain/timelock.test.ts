import { bls12_381 } from '@noble/curves/bls12-381.js'
import { describe, expect, test } from 'vitest'
import { openSealed, openWeights } from '../../src/chain/dev/pallet/subtensor/timelock-open.ts'
import { payloadOf, revealBlock, revealRound } from '../../src/chain/timelock.ts'
import { pointOf, QUICKNET, seal } from '../../src/chain/tlock.ts'
import { hexBytes, utf8 } from '../../src/util/bytes.ts'

/** As drand's quicknet published it for round 1000. */
const ROUND = 1000n
const SIGNATURE = hexBytes(
  'b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39',
)
const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
const deps = { beacon: QUICKNET, random }
const hotkey = '11'.repeat(32)
const vector = { hotkey, uids: [3, 4], values: [10, 20], versionKey: '7' }

test("the beacon's key is the one that signed a published round", () => {
  const left = bls12_381.pairing(bls12_381.G1.Point.fromBytes(SIGNATURE), bls12_381.G2.Point.BASE)
  const right = bls12_381.pairing(pointOf(ROUND), bls12_381.G2.Point.fromBytes(hexBytes(QUICKNET.publicKey)))
  expect(bls12_381.fields.Fp12.eql(left, right)).toBe(true)
})

test('what is sealed to a round opens with the signature that was published for it', () => {
  const sealed = seal(payloadOf(vector), ROUND, deps)
  expect(openWeights(sealed, SIGNATURE, hotkey)).toEqual({ uids: [3, 4], values: [10, 20], versionKey: 7n })
  expect(openWeights(sealed, SIGNATURE, '22'.repeat(32))).toBeNull()
})

test('a vector of all uids opens as it was', () => {
  const uids = Array.from({ length: 256 }, (_, uid) => uid)
  const values = uids.map((uid) => 257 * uid)
  const sealed = seal(payloadOf({ ...vector, uids, values }), ROUND, deps)
  expect(sealed.length).toBeLessThan(5_000)
  expect(openWeights(sealed, SIGNATURE, hotkey)).toEqual({ uids, values, versionKey: 7n })
})

test.each([999n, 1001n])('what is sealed to round %i does not open with the signature of round 1000', (round) => {
  expect(openSealed(seal(utf8('hello'), round, deps), SIGNATURE)).toBeNull()
})

test('two seals of one message have nothing in common', () => {
  const [one, other] = [seal(utf8('hello'), ROUND, deps), seal(utf8('hello'), ROUND, deps)]
  expect(one.slice(0, 96)).not.toEqual(other.slice(0, 96))
})

describe('the first block in which a commit can be revealed', () => {
  const schedule = { netuid: 1, tempo: 10, revealPeriodEpochs: 1 }
  test.each([
    // at, last epoch, pending, period, expected
    [103, 100, 0, 1, 110],
    [109, 100, 0, 1, 110],
    [110, 100, 0, 1, 120],
    [131, 100, 0, 1, 140],
    [103, 100, 0, 3, 130],
    [103, 100, 105, 1, 105],
    [106, 100, 105, 1, 115],
  ])(
    'committed in block %i, last epoch at %i, next at %i, period %i',
    (at, lastEpochBlock, pendingEpochAt, period, expected) => {
      expect(revealBlock({ ...schedule, revealPeriodEpochs: period }, { lastEpochBlock, pendingEpochAt }, at)).toBe(
        expected,
      )
    },
  )

  test('where epochs follow from the height', () => {
    // (block + 2) / 11: epoch 9 begins at block 97, epoch 10 at 108.
    expect(revealBlock(schedule, { lastEpochBlock: null, pendingEpochAt: 0 }, 100)).toBe(108)
  })
})

describe('the round', () => {
  const schedule = { netuid: 1, tempo: 10, revealPeriodEpochs: 1 }
  const epochs = { block: 100, lastEpochBlock: 100, pendingEpochAt: 0 }
  const timelock = { ...epochs, nowMs: QUICKNET.genesisMs + 300_000, beacon: QUICKNET }
  const terms = { at: 103, blockMs: 12_000 }

  test('comes three blocks into the epoch of the reveal', () => {
    expect(revealRound(schedule, { ...timelock, lastRound: 90n }, terms)).toBe(152n)
  })

  test('is never one that is over', () => {
    expect(revealRound(schedule, { ...timelock, lastRound: 500n }, terms)).toBe(501n)
  })
})
