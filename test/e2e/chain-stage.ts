/** A development chain with a subnet of three validators, and clients that have heard of its head. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChainClient, createChain } from '../../src/chain/client.ts'
import { createDevChain, type DevChain, type DevChainOptions } from '../../src/chain/dev/index.ts'
import type { Signer } from '../../src/chain/sign.ts'
import { developmentSigner } from '../../src/chain/uri.ts'
import type { Log } from '../../src/ports.ts'
import { toHex } from '../../src/util/bytes.ts'

export const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}
const clock = { now: () => performance.now(), setTimeout, clearTimeout }
const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }

const STAKE = 1_000_000_000_000n
export const NETUID = 1

export const hotkeyOf = ({ publicKey }: Signer): string => toHex(publicKey)

export async function createSigners(): Promise<readonly [Signer, Signer, Signer]> {
  const [alice, bob, charlie] = await Promise.all(['//Alice', '//Bob', '//Charlie'].map(developmentSigner))
  return [alice, bob, charlie] as [Signer, Signer, Signer]
}

/** Uid 0 is the owner; the signers follow with stake and permits. */
export async function createSubnetChain(
  signers: readonly Signer[],
  options: Partial<DevChainOptions>,
): Promise<DevChain> {
  const owner = hotkeyOf(await developmentSigner('//Dave'))
  const neurons = signers.map((signer) => ({ coldkey: hotkeyOf(signer), hotkey: hotkeyOf(signer), stake: STAKE }))
  const subnet = {
    netuid: NETUID,
    owner: { coldkey: owner, hotkey: owner },
    neurons,
    // A hotkey may write 3,100 bytes in an epoch: 31 times. Here an epoch is over before that.
    tempo: 8,
    weightsRateLimit: 0,
    commitReveal: false,
  }
  return createDevChain({ blockMs: null, finalityBlocks: 2, subnets: [subnet], ...options })
}

export async function connect(
  dev: DevChain,
  signer: Signer | null,
  blockMs: number,
  log: Log = SILENT,
): Promise<ChainClient> {
  const options = { endpoints: [dev.url], genesis: null, netuid: NETUID, blockMs, dir: null }
  const client = await createChain(options, { signer, clock, random, log })
  await untilHeard(client, dev)
  return client
}

/** Until the client knows the chain's heads. */
export async function untilHeard(client: ChainClient, dev: DevChain): Promise<void> {
  for (let i = 0; i < 2_000; i++) {
    const { best, finalised } = client.health()
    if (best?.number === dev.head().number && finalised?.number === dev.finalised().number) return
    await sleep(5)
  }
  throw new Error('the client has not heard of the head')
}
