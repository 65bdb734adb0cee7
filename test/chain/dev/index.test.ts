import { ApiPromise, Keyring, WsProvider } from '@polkadot/api'
import type { SubmittableExtrinsic } from '@polkadot/api/types'
import type { ISubmittableResult } from '@polkadot/types/types'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDevChain, type DevChain, NO_PARTS } from '../../../src/chain/dev/index.ts'
import { Account } from '../../../src/chain/dev/pallet/system.ts'
import { alice, BOB, bob, edith, keyOf } from './world.ts'

let dev: DevChain
let api: ApiPromise
beforeAll(async () => {
  dev = await createDevChain({ blockMs: null, parts: NO_PARTS })
  api = await ApiPromise.create({ provider: new WsProvider(dev.url) as never, noInitWarn: true })
})
afterAll(async () => {
  await api.disconnect()
  await dev.stop()
})

type Tx = SubmittableExtrinsic<'promise'>
const call = (pallet: string, name: string, ...args: unknown[]): Tx =>
  api.tx[pallet]?.[name]?.(...args) ?? expect.fail(`the metadata has ${pallet}.${name}`)
const transfer = (value: number, to = bob.address) => call('balances', 'transferKeepAlive', to, value)
const freeOf = async (address: string) => (await api.derive.balances.all(address)).freeBalance.toBigInt()

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate)
}

/** Blocks are sealed by hand: one when the transaction waits, and as many more as make it final. */
async function land(
  tx: Tx,
  pair = alice,
): Promise<{ readonly statuses: string[]; readonly result: ISubmittableResult }> {
  const statuses: string[] = []
  return new Promise((resolve, reject) => {
    tx.signAndSend(pair, { nonce: -1 }, (result) => {
      statuses.push(result.status.type)
      if (result.status.isFinalized) resolve({ statuses, result })
      for (let i = 0; i < (result.status.isReady ? 1 : 2); i++) dev.seal()
    }).catch(reject)
  })
}

describe('an unmodified client', () => {
  test('connects and reads who it is', () => {
    expect(api.runtimeChain.toString()).toBe('Bittensor Development')
    expect(api.registry.chainDecimals).toEqual([9])
    expect(api.runtimeVersion.specVersion.toNumber()).toBe(425)
    expect(api.consts['balances']?.['existentialDeposit']?.toString()).toBe('500')
  })

  test('sends a transfer and follows it to the end', async () => {
    const before = await freeOf(bob.address)
    const { statuses, result } = await land(transfer(12_345))
    expect(statuses).toEqual(['Ready', 'InBlock', 'Finalized'])
    expect(result.dispatchError).toBeUndefined()
    expect(result.events.map(({ event }) => `${event.section}.${event.method}`)).toContain('balances.Transfer')
    expect(await freeOf(bob.address)).toBe(before + 12_345n)
  })

  test('understands why a call failed', async () => {
    const batch = await land(call('utility', 'batchAll', [transfer(1), transfer(1)]))
    expect(batch.result.dispatchError).toBeUndefined()
    const force = await land(call('balances', 'forceSetBalance', bob.address, 1))
    expect(force.result.dispatchError?.toString()).toContain('BadOrigin')
  })

  test('signs with ed25519', async () => {
    await land(transfer(10 ** 9, edith.address))
    const { result } = await land(transfer(777), edith)
    expect(result.status.isFinalized).toBe(true)
    expect(dev.read().get(Account, keyOf(edith)).nonce).toBe(1)
  })

  test('sends mortal transactions of every length', async () => {
    for (const era of [4, 64, 4096]) {
      const hash = await transfer(1).signAndSend(alice, { nonce: -1, era })
      expect(hash.toHex()).toMatch(/^0x/)
      await dev.seal()
    }
  })

  test('asks what a transaction costs', async () => {
    const { partialFee } = await transfer(1).paymentInfo(alice)
    expect(partialFee.toNumber()).toBeGreaterThan(124_000)
  })

  test('reads storage in all its ways', async () => {
    const { system } = api.query
    const entries = await system?.['account']?.entries()
    expect(entries?.length).toBe(7)
    expect(await system?.['account']?.multi([alice.address, bob.address])).toHaveLength(2)
    const old = await api.at(await api.rpc.chain.getBlockHash(1))
    expect((await old.query['system']?.['number']?.())?.toString()).toBe('1')
    expect((await api.call['accountNonceApi']?.['accountNonce']?.(bob.address))?.toString()).toBe('0')
    expect((await api.derive.balances.all(bob.address)).freeBalance.toBigInt()).toBe(
      dev.read().get(Account, BOB).data.free,
    )
    expect((await api.derive.chain.bestNumberFinalized()).toNumber()).toBe(dev.finalised().number)
  })

  test('watches heads, finality and storage', async () => {
    const seen: string[] = []
    const heads = await api.rpc.chain.subscribeNewHeads(({ number }) => void seen.push(`best ${number}`))
    const finals = await api.rpc.chain.subscribeFinalizedHeads(({ number }) => void seen.push(`final ${number}`))
    const values = await api.queryMulti(
      [[api.query['system']?.['number'] as never]],
      (found) => void seen.push(`number ${found}`),
    )
    const { number } = await dev.seal()
    const wanted = [`best ${number}`, `final ${number - 2}`, `number ${number}`]
    await until(() => wanted.every((text) => seen.includes(text)))
    for (const stop of [heads, finals, values]) stop()
  })

  test('hears of a runtime upgrade and goes on signing', async () => {
    dev.fault({ kind: 'upgrade' })
    await dev.seal()
    await until(() => api.runtimeVersion.specVersion.eq(426))
    expect((await land(transfer(1))).result.status.isFinalized).toBe(true)
  })

  test('decodes a block with all that is in it', async () => {
    await transfer(5).signAndSend(alice, { nonce: -1 })
    const { hash } = await dev.seal()
    const { block } = await api.rpc.chain.getBlock(hash)
    expect(block.extrinsics.map(({ method }) => `${method.section}.${method.method}`)).toEqual([
      'timestamp.set',
      'balances.transferKeepAlive',
    ])
    expect(block.extrinsics[1]?.signer.toString()).toBe(new Keyring().encodeAddress(alice.publicKey, 42))
    expect(block.header.hash.toHex()).toBe(hash)
  })
})

describe('the pace', () => {
  test('is a block every so often, also when one was late', async () => {
    let nowMs = 0
    const due: { run: () => void; atMs: number }[] = []
    const clock = {
      now: () => nowMs,
      setTimeout: (run: () => void, waitMs: number) => due.push({ run, atMs: nowMs + waitMs }),
      clearTimeout: () => due.pop(),
    }
    const paced = await createDevChain({ blockMs: 500, parts: NO_PARTS }, { clock, nowMs: () => nowMs })
    const times: number[] = []
    for (const lateMs of [0, 100, 0, 2000, 0, 0]) {
      const { run, atMs } = due.pop() ?? expect.fail('a block is due')
      times.push(atMs)
      nowMs = atMs + lateMs
      run()
    }
    expect(times).toEqual([500, 1000, 1500, 2000, 4000, 4500])
    expect(paced.head().number).toBe(6)
    await paced.stop()
    expect(due).toEqual([])
  })

  test.each([249, 12_001])('of %s ms is none', async (blockMs) => {
    await expect(createDevChain({ blockMs })).rejects.toThrow('250 to 12,000')
  })
})
