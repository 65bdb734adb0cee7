/** What a chain does not take: one sentence with its remedy, as early as it can be known. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type ChainClient, createChain } from '../../src/chain/client.ts'
import { createDevChain, type DevChain } from '../../src/chain/dev/index.ts'
import { SYSTEM } from '../../src/chain/system.ts'
import type { Cancel } from '../../src/ports.ts'
import { connect, createSigners, hotkeyOf, NETUID } from './chain-stage.ts'

const [alice, bob, charlie] = await createSigners()
const BLOCK_MS = 60
const TEMPO = 12
const LONG_TEMPO = 360

type Options = { readonly commitReveal: boolean; readonly tempo?: number }
type Stage = {
  readonly dev: DevChain
  readonly client: ChainClient
  readonly far: { readonly lastBlock: number } & Cancel
}

/** Alice has stake, Bob is registered and has none, Charlie is nobody here. */
async function stage(
  signer: typeof alice,
  { commitReveal, tempo = TEMPO }: Options,
  work: (stage: Stage) => Promise<void>,
): Promise<void> {
  const key = hotkeyOf
  const owner = '09'.repeat(32)
  const subnet = {
    netuid: NETUID,
    owner: { coldkey: owner, hotkey: owner },
    neurons: [
      { coldkey: key(alice), hotkey: key(alice), stake: 10n ** 12n },
      { coldkey: key(bob), hotkey: key(bob) },
    ],
    tempo,
    weightsRateLimit: 0,
    commitReveal,
  }
  const dev = await createDevChain({ blockMs: null, finalityBlocks: 1, subnets: [subnet] })
  const client = await connect(dev, signer, BLOCK_MS)
  const pace = setInterval(() => void dev.seal(), BLOCK_MS)
  const signal = AbortSignal.timeout(30_000)
  try {
    await work({ dev, client, far: { lastBlock: dev.head().number + 200, signal } })
  } finally {
    clearInterval(pace)
    client.stop()
    await dev.stop()
  }
}

/** Said at once, or after the one block that it takes the chain to say so. */
const AT_ONCE = 6

test.each([false, true])('weights without a permit are refused at once, commit-reveal %s', (commitReveal) =>
  stage(bob, { commitReveal }, async ({ dev, client, far }) => {
    const from = dev.head().number
    await expect(client.setWeights([[1, 1]], far)).rejects.toMatchObject({
      code: 'WRITE_REFUSED',
      remedy: expect.stringContaining('Stake more'),
    })
    expect(dev.head().number - from).toBeLessThan(AT_ONCE)
    expect(client.weights?.owed()).toEqual([])
  }),
)

test.each([false, true])('who is not registered hears of it at once, commit-reveal %s', (commitReveal) =>
  stage(charlie, { commitReveal }, async ({ dev, client, far }) => {
    const from = dev.head().number
    const refusal = { code: 'WRITE_REFUSED', remedy: expect.stringContaining('chain register') }
    await expect(client.setWeights([[1, 1]], far)).rejects.toMatchObject(refusal)
    await expect(client.writeSlot(Uint8Array.of(1), far)).rejects.toMatchObject(refusal)
    expect(dev.head().number - from).toBeLessThan(2 * AT_ONCE)
  }),
)

test(
  'a full commitment space is told with its remedy',
  () =>
    stage(alice, { commitReveal: false, tempo: LONG_TEMPO }, async ({ client, far }) => {
      const write = (i: number) => client.writeSlot(new Uint8Array(128).fill(i), far)
      // 3,100 bytes in an epoch.
      for (let i = 1; i <= 24; i++) await write(i)
      await expect(write(25)).rejects.toMatchObject({ code: 'RATE_LIMITED', remedy: expect.stringContaining('space') })
    }),
  60_000,
)

test(
  'a commit that nobody revealed in its epoch is an error for who waits, not a landing',
  () =>
    stage(alice, { commitReveal: true }, async ({ dev, client, far }) => {
      await client.setWeights([[1, 1]], far)
      expect(client.weights?.owed()).toHaveLength(1)
      // Every transaction of the reveal is swallowed until its epoch is over.
      for (let i = 0; i < 3 * TEMPO; i++) {
        dev.fault({ kind: 'swallow', count: 1 })
        await sleep(BLOCK_MS)
      }
      await expect(client.weights?.whenRevealed(far)).rejects.toMatchObject({ code: 'WINDOW_MISSED' })
    }),
  60_000,
)

test.each([
  ['a uid that is not there', [[77, 1]], 'uid 77'],
  [
    'a uid that is there twice',
    [
      [1, 1],
      [2, 1],
      [1, 2],
    ],
    'uid 1',
  ],
] as const)('%s is told before anything is committed', (_, vector, named) =>
  stage(alice, { commitReveal: true }, async ({ client, far }) => {
    const refusal = { code: 'WRITE_REFUSED', message: expect.stringContaining(named) }
    await expect(client.setWeights(vector, far)).rejects.toMatchObject(refusal)
    expect(client.weights?.owed()).toEqual([])
  }),
)

test('a subnet that is not there is told as such, not as a hotkey that is not registered', () =>
  stage(alice, { commitReveal: true }, async ({ dev, far }) => {
    const elsewhere = await createChain(
      { endpoints: [dev.url], genesis: null, netuid: 99, blockMs: BLOCK_MS, dir: null },
      { ...SYSTEM, signer: alice },
    )
    const unknown = { code: 'SUBNET_UNKNOWN' }
    await expect(elsewhere.writeSlot(Uint8Array.of(1), far)).rejects.toMatchObject(unknown)
    await expect(elsewhere.setWeights([[0, 1]], far)).rejects.toMatchObject(unknown)
    elsewhere.stop()
  }))
