/** `wheelwright chain metagraph`: who is in a subnet, at one finalised block. */
import { toSs58 } from '../protocol/hotkey.ts'
import { withChain } from './chain-open.ts'
import type { NETWORK_FLAGS } from './chain-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, writeJson } from './io.ts'

const RAO = 1e9

export const run = (flags: FlagValues<typeof NETWORK_FLAGS>, io: Io): Promise<void> =>
  withChain(flags, io, async ({ chain, signal }) => {
    const block = chain.health().finalised?.number ?? 0
    const neurons = await chain.neurons(block, { signal })
    if (flags.json) {
      const rows = neurons.map(({ uid, hotkey, stake, permit }) => ({
        uid,
        hotkey: toSs58(hotkey),
        stake: String(stake),
        permit,
      }))
      return writeJson(io.stdout, { netuid: flags.netuid, block, neurons: rows })
    }
    io.stdout.write(`subnet ${flags.netuid} at finalised block ${block}: ${neurons.length} neurons\n`)
    const titles = `   uid  ${'hotkey'.padEnd(48)} ${'stake, alpha'.padStart(16)}`
    if (neurons.length > 0) io.stdout.write(`${titles}\n`)
    for (const { uid, hotkey, stake, permit } of neurons) {
      const share = (Number(stake) / RAO).toFixed(3).padStart(16)
      io.stdout.write(`  ${String(uid).padStart(4)}  ${toSs58(hotkey)} ${share}${permit ? '  validator' : ''}\n`)
    }
  })
