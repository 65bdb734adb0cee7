import { ApiPromise, WsProvider } from '@polkadot/api'
import { Keyring } from '@polkadot/keyring'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDevChain, DEV_ACCOUNTS, type DevChain } from '../../../../../src/chain/dev/index.ts'
import * as s from '../../../../../src/chain/dev/pallet/subtensor/storage.ts'
import { createFakeChain, key, subnetOf } from '../../fake-context.ts'

test('a subnet is there before the first block, and weights can land in it', () => {
  const chain = createFakeChain({ subnets: [subnetOf(2, 2, { tempo: 50, firstEpochBlock: 7, burn: 5n * 10n ** 8n })] })
  expect(chain.get(s.SubnetworkN, 1)).toBe(5)
  expect(chain.get(s.ValidatorPermit, 1)).toEqual([true, true, true, false, false])
  expect(chain.get(s.Burn, 1)).toBe(5n * 10n ** 8n)
  chain.pass(1)
  const args = { netuid: 1, dests: [3], weights: [1], version_key: 0n }
  expect(chain.call(key(1), 'SubtensorModule', 'set_weights', args)).toBe('ok')
  chain.pass(6)
  expect(chain.get(s.SubnetEpochIndex, 1)).toBe(1n)
  expect(chain.get(s.Incentive, 1)).toEqual([0, 0, 0, 65535, 0])
  chain.pass(49)
  expect(chain.get(s.SubnetEpochIndex, 1)).toBe(1n)
  chain.pass(1)
  expect(chain.get(s.SubnetEpochIndex, 1)).toBe(2n)
})

test('its first epoch may be later than a tempo', () => {
  const chain = createFakeChain({ subnets: [subnetOf(1, 1, { tempo: 5, firstEpochBlock: 12 })] })
  chain.pass(11)
  expect(chain.get(s.SubnetEpochIndex, 1)).toBe(0n)
  chain.pass(1)
  expect(chain.get(s.SubnetEpochIndex, 1)).toBe(1n)
})

/** What an unmodified client reads. */
type Answer = { toJSON(): unknown }
type Calls = { readonly [api: string]: { readonly [method: string]: (...args: unknown[]) => Promise<Answer> } }

let chain: DevChain
let api: ApiPromise
let call: Calls
const [alice, bob, charlie] = [DEV_ACCOUNTS['//Alice'], DEV_ACCOUNTS['//Bob'], DEV_ACCOUNTS['//Charlie']]

beforeAll(async () => {
  const neurons = [
    { coldkey: bob, hotkey: bob, stake: 10n ** 11n },
    { coldkey: charlie, hotkey: charlie },
  ]
  const subnet = { owner: { coldkey: alice, hotkey: alice }, neurons, tempo: 4, commitReveal: false }
  chain = await createDevChain({ blockMs: null, subnets: [subnet] })
  api = await ApiPromise.create({ provider: new WsProvider(chain.url) as never, noInitWarn: true })
  call = api.call as unknown as Calls
  await chain.seal()
})

afterAll(async () => {
  await api.disconnect()
  await chain.stop()
})

const ask = async (name: string, method: string, ...args: unknown[]) =>
  (await call[name]?.[method]?.(...args))?.toJSON() as { readonly [field: string]: unknown }

test('an unmodified client sets weights on it and reads what they earned', async () => {
  const signer = new Keyring({ type: 'sr25519' }).addFromUri('//Bob')
  const tx = (name: string, ...args: unknown[]) => {
    const make = api.tx['subtensorModule']?.[name] ?? expect.fail(`no call ${name}`)
    return make(...args)
  }
  await tx('setWeights', 1, [2], [65535], 0).signAndSend(signer, { nonce: 0 })
  await tx('serveAxon', 1, 1, 0x7f000002, 4000, 4, 0, 0, 0).signAndSend(signer, { nonce: 1 })
  for (let i = 0; i < 3; i++) await chain.seal()
  const graph = await ask('subnetInfoRuntimeApi', 'getMetagraph', 1)
  expect(graph).toMatchObject({ netuid: 1, tempo: 4, numUids: 3, incentives: [0, 0, 65535], block: 4, lastStep: 4 })
  expect(graph['hotkeys']).toHaveLength(3)
  expect(graph['axons']).toMatchObject([{ port: 0 }, { port: 4000, block: 2 }, { port: 0 }])
  const selected = await ask('subnetInfoRuntimeApi', 'getSelectiveMetagraph', 1, [0, 8, 52, 72, 999])
  expect(selected).toMatchObject({ netuid: 1, tempo: 4, block: null, validators: [0, 1] })
  expect(selected['hotkeys']).toEqual(graph['hotkeys'])
})

test.each([
  ['neuronInfoRuntimeApi', 'getNeuronsLite', [1], { length: 3 }],
  ['neuronInfoRuntimeApi', 'getNeuronLite', [1, 2], { uid: 2, incentive: 65535, validatorPermit: false }],
  ['neuronInfoRuntimeApi', 'getNeuron', [1, 1], { weights: [[2, 65535]], validatorPermit: true }],
  ['neuronInfoRuntimeApi', 'getNeuron', [1, 9], null],
  ['subnetInfoRuntimeApi', 'getSubnetHyperparams', [1], { tempo: 4, weightsRateLimit: 100, maxValidators: 64 }],
  ['subnetInfoRuntimeApi', 'getSubnetHyperparamsV2', [1], { yumaVersion: 3, subnetIsActive: true }],
  ['subnetInfoRuntimeApi', 'getSubnetHyperparamsV2', [9], null],
  ['subnetInfoRuntimeApi', 'getDynamicInfo', [1], { netuid: 1, tokenSymbol: [0xce, 0xb1], taoIn: 10 ** 12 }],
  ['subnetInfoRuntimeApi', 'getNextEpochStartBlock', [1], 8],
  ['subnetInfoRuntimeApi', 'getNextEpochStartBlock', [9], null],
  ['subnetInfoRuntimeApi', 'getMechagraph', [1, 0], { netuid: 1 }],
  ['subnetInfoRuntimeApi', 'getMechagraph', [1, 1], null],
  ['stakeInfoRuntimeApi', 'getStakeInfoForColdkey', [`0x${bob}`], [{ netuid: 1, isRegistered: true }]],
  ['subnetRegistrationRuntimeApi', 'getNetworkRegistrationCost', [], 10 ** 12],
  ['swapRuntimeApi', 'currentAlphaPrice', [1], 10 ** 9],
])('%s.%s answers', async (name, method, args, expected) => {
  const answer = await ask(name, method, ...args)
  if (expected === null || typeof expected !== 'object') expect(answer).toEqual(expected)
  else expect(answer).toMatchObject(expected)
})
