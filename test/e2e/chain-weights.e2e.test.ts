/** Weights by commit-reveal against the development chain, where the test itself is the beacon. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { expect, test } from 'vitest'
import { type ChainClient, createChain } from '../../src/chain/client.ts'
import type { Context } from '../../src/chain/dev/define.ts'
import { createDevChain, type DevChain } from '../../src/chain/dev/index.ts'
import { BeaconConfig, LastStoredRound } from '../../src/chain/dev/pallet/drand.ts'
import * as s from '../../src/chain/dev/pallet/subtensor/storage.ts'
import { SYSTEM } from '../../src/chain/system.ts'
import { pointOf, QUICKNET } from '../../src/chain/tlock.ts'
import { weights } from '../../src/cli/chain-write.ts'
import { hexBytes, toHex } from '../../src/util/bytes.ts'
import { createSigners, createSubnetChain, hotkeyOf, NETUID, SILENT, untilHeard } from './chain-stage.ts'

const { clock, random } = SYSTEM

const signers = await createSigners()
const [alice, bob] = signers
const SECRET = 424_242n
const PUBLIC_KEY = bls12_381.G2.Point.BASE.multiply(SECRET).toBytes(true)
const signatureOf = (round: bigint): string => `0x${toHex(pointOf(round).multiply(SECRET).toBytes(true))}`

const signal = AbortSignal.timeout(60_000)
const TEMPO = 8
/** The owner is 0, Alice 1. */
const UID = 2
/** Not scaled to the greatest weight there is: the chain does that. */
const VECTOR = [
  [1, 10],
  [3, 20],
] as const
const ROW = [
  [1, 32_768],
  [3, 65_535],
]

type Stage = { readonly dev: DevChain; readonly client: ChainClient; readonly seal: (count?: number) => Promise<void> }

type StageOptions = {
  readonly tempo?: number
  readonly nowMs?: (block: number) => number
  /** The beacon's: drand's own, or one of which the test knows the secret. */
  readonly publicKey?: Uint8Array
}

async function stage(
  work: (stage: Stage) => Promise<void>,
  { tempo = TEMPO, nowMs, publicKey = PUBLIC_KEY }: StageOptions = {},
): Promise<void> {
  const owner = toHex(new Uint8Array(32).fill(9))
  const neurons = signers.map((signer) => ({ coldkey: hotkeyOf(signer), hotkey: hotkeyOf(signer), stake: 10n ** 12n }))
  const subnet = {
    netuid: NETUID,
    owner: { coldkey: owner, hotkey: owner },
    neurons,
    tempo,
    weightsRateLimit: 0,
    commitReveal: true,
  }
  let next = 0
  const deps = nowMs === undefined ? {} : { nowMs: () => nowMs(next) }
  const genesis = (context: Context): void =>
    context.set(BeaconConfig, [], { ...context.get(BeaconConfig), public_key: publicKey })
  const dev = await createDevChain({ blockMs: null, finalityBlocks: 2, subnets: [subnet], genesis }, deps)
  const options = { endpoints: [dev.url], genesis: null, netuid: NETUID, blockMs: 600_000, dir: null }
  const client = await createChain(options, { signer: bob, clock, random, log: SILENT })
  const seal = async (count = 1): Promise<void> => {
    for (let i = 0; i < count; i++) {
      await sleep(40)
      next = dev.head().number + 1
      await dev.seal()
      await untilHeard(client, dev)
    }
  }
  try {
    await untilHeard(client, dev)
    await work({ dev, client, seal })
  } finally {
    client.stop()
    await dev.stop()
  }
}

/** Blocks go on until it is done. */
async function sealUntil<T>({ seal }: Stage, work: Promise<T>, blocksMax: number): Promise<T> {
  let isOver = false
  const over = work.finally(() => {
    isOver = true
  })
  over.catch(() => undefined)
  for (let i = 0; i < blocksMax && !isOver; i++) await seal()
  if (!isOver) expect.fail(`not done after ${blocksMax} blocks`)
  return over
}

/** The development key writes it: nobody else may. */
async function pulse(stage: Stage, round: bigint, signature = signatureOf(round)): Promise<void> {
  const writer = await createChain(
    { endpoints: [stage.dev.url], genesis: null, netuid: NETUID, blockMs: 600_000, dir: null },
    { signer: alice, clock, random, log: SILENT },
  )
  try {
    const pulses = [{ round: String(round), randomness: `0x${'00'.repeat(32)}`, signature }]
    const payload = { block_number: 0, pulses, public: { Sr25519: `0x${hotkeyOf(alice)}` } }
    const effect = { pallet: 'drand', name: 'writePulse', args: [payload, null] }
    const lastBlock = stage.dev.head().number + 60
    await sealUntil(stage, writer.write({ kind: 'call', effect }, { lastBlock, signal }), 10)
  } finally {
    writer.stop()
  }
  expect(stage.dev.read().get(LastStoredRound)).toBe(round)
}

const commitOf = ({ dev }: Stage) =>
  [...dev.read().entries(s.TimelockedWeightCommits, NETUID)].flatMap(([, all]) => all)
const rowOf = ({ dev }: Stage) => dev.read().get(s.Weights, NETUID, UID)
const setWeights = ({ dev, client }: Stage) => client.setWeights(VECTOR, { lastBlock: dev.head().number + 60, signal })

test(
  'timelocked weights are opened by the chain in their epoch, with the pulse of their round',
  () =>
    stage(async (stage) => {
      await pulse(stage, 1n)
      const landing = await sealUntil(stage, setWeights(stage), 20)
      const [[who, block, , round] = expect.fail('no commit')] = commitOf(stage)
      expect([who, Number(block)]).toEqual([hotkeyOf(bob), landing.block])
      expect(rowOf(stage)).toEqual([])

      // The next epoch is at most a tempo away, and a block of this chain counts as ten minutes.
      const inMs = Number(round) * QUICKNET.periodMs + QUICKNET.genesisMs - Date.now()
      expect(inMs).toBeGreaterThan(0)
      expect(inMs).toBeLessThan((TEMPO + 7) * 600_000)

      await pulse(stage, round)
      const revealed = await sealUntil(stage, stage.client.weights?.whenRevealed({ signal }) as Promise<unknown>, 30)
      expect(revealed).toEqual({ block: expect.any(Number) })
      expect(rowOf(stage)).toEqual(ROW)
      expect(await stage.client.weightsOf(UID, stage.dev.finalised().number, { signal })).toEqual(ROW)
      expect(stage.client.weights?.owed()).toEqual([])
    }),
  60_000,
)

test(
  'weights whose pulse does not come in their epoch are reported as missed',
  () =>
    stage(async (stage) => {
      await pulse(stage, 1n)
      await sealUntil(stage, setWeights(stage), 20)
      const waiting = sealUntil(stage, stage.client.weights?.whenRevealed({ signal }) as Promise<unknown>, 40)
      await expect(waiting).rejects.toMatchObject({ code: 'WINDOW_MISSED' })
      expect(rowOf(stage)).toEqual([])
    }),
  60_000,
)

test(
  'where no pulse was ever stored, the client commits a hash and reveals it itself',
  () =>
    stage(async (stage) => {
      await sealUntil(stage, setWeights(stage), 20)
      expect(commitOf(stage)).toEqual([])
      expect(stage.client.weights?.owed()).toHaveLength(1)
      const revealed = await sealUntil(stage, stage.client.weights?.whenRevealed({ signal }) as Promise<unknown>, 40)
      expect(revealed).toEqual({ block: expect.any(Number) })
      expect(rowOf(stage)).toEqual(ROW)
    }),
  60_000,
)

test(
  'the same weights once more are revealed too: an equal row is no sign that they were',
  () =>
    stage(async (stage) => {
      for (let turn = 0; turn < 2; turn++) {
        await sealUntil(stage, setWeights(stage), 40)
        await sealUntil(stage, stage.client.weights?.whenRevealed({ signal }) as Promise<unknown>, 40)
        expect(stage.dev.read().get(s.WeightCommits, NETUID, hotkeyOf(bob)) ?? []).toEqual([])
        expect(rowOf(stage)).toEqual(ROW)
      }
    }),
  60_000,
)

test(
  'a commit whose round is over before it lands is sealed anew, and landed once',
  () =>
    stage(async (stage) => {
      await pulse(stage, 1n)
      stage.dev.fault({ kind: 'swallow', count: 1 })
      const landed = setWeights(stage)
      await sleep(300)
      const far = 10n ** 9n
      await pulse(stage, far)
      await sealUntil(stage, landed, 20)
      expect(commitOf(stage).map(([, , , round]) => round)).toEqual([far + 1n])
    }),
  60_000,
)

/** As drand's quicknet published it for round 1000. */
const PUBLISHED = '0xb44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39'

test("`chain weights` encrypts to drand's own key and ends when the weights stand", () => {
  // The first epoch is over at block 30; three blocks later, this chain's clock shows the time of round 1000.
  const nowMs = (block: number) => QUICKNET.genesisMs + 1000 * QUICKNET.periodMs + (block - 33) * 12_000 + 1
  const work = async (stage: Stage): Promise<void> => {
    await pulse(stage, 1n)
    let [out, err] = ['', '']
    const io = {
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: (text: string) => (err += text) },
      env: {},
      signal,
    }
    const dir = mkdtempSync(join(tmpdir(), 'wheelwright-'))
    const vector = { uids: '1,3', values: '10,20' }
    const flags = { network: stage.dev.url, netuid: NETUID, uri: '//Bob', ...vector, dir, json: true }
    const ended = weights(flags as unknown as Parameters<typeof weights>[0], io)
    const opened = (async () => {
      while (commitOf(stage).length === 0) await stage.seal()
      expect(commitOf(stage).map(([, , , round]) => round)).toEqual([1000n])
      await pulse(stage, 1000n, PUBLISHED)
      while (out === '') await stage.seal()
    })()
    await Promise.all([ended, opened])
    expect(rowOf(stage)).toEqual(ROW)
    expect(err).toMatch(/^weights committed at block \d+: they are revealed in a later epoch\n$/)
    const told = JSON.parse(out)
    expect(told).toMatchObject({ done: 'weights landed', uids: [1, 3], values: [10, 20] })
    expect(told.committed).toBeLessThan(30)
    expect(told.block).toBeGreaterThanOrEqual(30)
  }
  return stage(work, { tempo: 30, nowMs, publicKey: hexBytes(QUICKNET.publicKey) })
}, 60_000)

test('a timelocked commit of a run that ended before it was sent does not stay owed', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'wheelwright-'))
  const lost = { uids: [1], values: [1], commit: 'ab', round: '1', block: null }
  writeFileSync(join(dir, `${bob.address}.${NETUID}.reveals`), JSON.stringify([lost]))
  const dev = await createSubnetChain(signers, {})
  const options = { endpoints: [dev.url], genesis: null, netuid: NETUID, blockMs: 600_000, dir }
  const client = await createChain(options, { signer: bob, clock, random, log: SILENT })
  try {
    await untilHeard(client, dev)
    expect(client.weights?.owed()).toHaveLength(1)
    for (let i = 0; i < 20 && client.weights?.owed().length !== 0; i++) {
      await sleep(40)
      await dev.seal()
    }
    expect(client.weights?.owed()).toEqual([])
  } finally {
    client.stop()
    await dev.stop()
  }
}, 30_000)
