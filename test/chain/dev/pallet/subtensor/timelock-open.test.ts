import { describe, expect, test } from 'vitest'
import { CORE_TYPES } from '../../../../../src/chain/dev/core-type.ts'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { openSealed, openWeights } from '../../../../../src/chain/dev/pallet/subtensor/timelock-open.ts'
import { createCodecs } from '../../../../../src/chain/dev/scale.ts'
import { hexBytes, toHex } from '../../../../../src/util/bytes.ts'
import { createFakeChain, key, subnetOf } from '../../fake-context.ts'

/** Weights of `key(1)` for uids 3 and 4, sealed to round 1000 of drand's quicknet by a build of the crate `tle`. */
const SEALED = hexBytes(
  '81a6d0b8302c8bf85697f037449d7a1cfdc3111dcd78394c6876066448eda11563530d5ad4c9039db6594d6a509d625108d8f4c810302fa639b2' +
    '189618b735b64f9b427bcf9c155fc50b50e55eb0655b22c37279ef6874695f87bd593f2a38622000000000000000d44f66ac6f44806b570c81e6' +
    '19c0eb08c1708057f704eac5a0f36ee1c39cfb0e2000000000000000fb69ee9d198f03559ca3c911c06f0b0a5270d816fa627128ca6ccf7eaa8d' +
    'f1b05f000000000000004300000000000000617e77ae0155bc28eda3dde0b9dbce4926edca891e65487c41d1cadd1d95f4519444c1437d2abbd3' +
    '78fbb28c57ee9e03a646fc46d92ba920228382d6264b6e5c75146f0c00000000000000e30bbdc19cffbac170ae0dca0800000000000000414553' +
    '5f47434d5f',
)
/** As drand published it. */
const SIGNATURE = hexBytes(
  'b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39',
)
const WEIGHTS = { uids: [3, 4], values: [10, 20], versionKey: 0n }

test('the signature of its round opens a commit', () => {
  expect(openWeights(SEALED, SIGNATURE, key(1))).toEqual(WEIGHTS)
})

test('what is inside is bytes of anybody', () => {
  const text = toHex(openSealed(SEALED, SIGNATURE) ?? new Uint8Array())
  const type = '{hotkey: Vec<u8>, uids: Vec<u16>, values: Vec<u16>, version_key: u64}'
  const expected = { hotkey: hexBytes(key(1)), uids: [3, 4], values: [10, 20], version_key: 0n }
  expect(text).toBe(toHex(createCodecs(CORE_TYPES).encode(type, expected)))
})

test("somebody else's commit is not one's own", () => {
  expect(openWeights(SEALED, SIGNATURE, key(2))).toBeNull()
})

describe('nothing opens with', () => {
  const changed = (at: number) => SEALED.map((byte, i) => (i === at ? byte ^ 1 : byte))
  test.each([
    ['nothing', new Uint8Array(), SIGNATURE],
    ['a part of it', SEALED.slice(0, 200), SIGNATURE],
    ['no signature', SEALED, new Uint8Array()],
    ['a signature of zeros', SEALED, new Uint8Array(48)],
    ['a point at infinity', SEALED, Uint8Array.of(0xc0, ...new Uint8Array(47))],
    ['another point', changed(2), SIGNATURE],
    ['another mask', changed(110), SIGNATURE],
    ['another key', changed(150), SIGNATURE],
    ['another message', changed(200), SIGNATURE],
    ['another nonce', changed(270), SIGNATURE],
    ['an unknown end', changed(279), SIGNATURE],
    ['a list of endless length', changed(103), SIGNATURE],
  ])('%s', (_, sealed, signature) => {
    expect(openSealed(sealed, signature)).toBeNull()
  })
})

test('the chain reveals the weights itself in the epoch after next, once it has the pulse', () => {
  const chain = createFakeChain({ subnets: [subnetOf(2, 3, { commitReveal: true })] })
  chain.pass(10)
  const args = { netuid: 1, commit: SEALED, reveal_round: 1000n, commit_reveal_version: 4 }
  expect(chain.call(key(1), 'SubtensorModule', 'commit_timelocked_weights', args)).toBe('ok')
  chain.pass(12)
  expect(chain.get(s.Weights, 1, 1)).toEqual([])
  const pulse = { round: 1000n, randomness: new Uint8Array(32), signature: SIGNATURE }
  chain.call('root', 'Drand', 'write_pulse', { pulses_payload: { pulses: [pulse] }, signature: null })
  chain.told()
  chain.pass(1)
  expect(chain.told()).toEqual(['WeightsSet', 'TimelockedWeightsRevealed'])
  expect(chain.get(s.Weights, 1, 1)).toEqual([
    [3, 32768],
    [4, 65535],
  ])
  expect(chain.get(s.LastUpdate, 1)[1]).toBe(10n)
})
