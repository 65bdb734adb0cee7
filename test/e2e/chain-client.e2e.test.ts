/** The client against the development chain over a real WebSocket: what the fake passes, it passes. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChainClient } from '../../src/chain/client.ts'
import { type ChainHarness, describeChainContract } from '../contracts/chain.ts'
import { connect, createSigners, createSubnetChain, hotkeyOf, untilHeard } from './chain-stage.ts'

const signers = await createSigners()
/** Blocks are sealed by hand: no watchdog may find them late. */
const BLOCK_MS = 600_000
/** A write is signed, sent and answered in this. */
const SUBMIT_MS = 40

describeChainContract('the client on the development chain', async (): Promise<ChainHarness> => {
  const dev = await createSubnetChain(signers, {})
  const ready = new Map<string, ChainClient>()
  for (const signer of signers) ready.set(hotkeyOf(signer), await connect(dev, signer, BLOCK_MS))
  const seal = async (takes: 'ready' | 'empty'): Promise<void> => {
    await sleep(SUBMIT_MS)
    await dev.seal(takes)
    for (const client of ready.values()) await untilHeard(client, dev)
  }
  return {
    hotkeys: signers.map(hotkeyOf) as [string, string, ...string[]],
    as: (hotkey) => ready.get(hotkey) as ChainClient,
    seal: () => seal('ready'),
    sealEmpty: () => seal('empty'),
    close: async () => {
      for (const client of ready.values()) client.stop()
      await dev.stop()
    },
  }
})
