/** `wheelwright chain status`: what an endpoint is, how far it is, and whether it can be relied on. */

import type { ApiPromise } from '@polkadot/api'
import { finalHead, readRules, stateAt, subnetExists } from '../chain/read.ts'
import { withChain } from './chain-open.ts'
import type { NETWORK_FLAGS } from './chain-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'

export const run = (flags: FlagValues<typeof NETWORK_FLAGS>, io: Io): Promise<void> =>
  withChain(flags, io, async ({ chain, signal }) => {
    const facts = await chain.link.use(
      async (api) => ({
        chain: api.runtimeChain.toString(),
        genesis: api.genesisHash.toHex().slice(2),
        runtime: `${api.runtimeVersion.specName.toString()} ${api.runtimeVersion.specVersion.toString()}`,
        isSubtensor: api.tx['subtensorModule'] !== undefined && api.tx['commitments'] !== undefined,
      }),
      { signal },
    )
    const subnet = facts.isSubtensor ? await chain.link.use((api) => subnetAt(api, flags.netuid), { signal }) : null
    const { endpoint, best, finalised, blockMs } = chain.health()
    const status = { ...facts, endpoint, best, finalised, blockMs, subnet }
    if (flags.json) return writeJson(io.stdout, status)
    const lines = [
      `${printable(facts.chain)} at ${endpoint}`,
      `  runtime    ${printable(facts.runtime)}${facts.isSubtensor ? '' : ' (without the pallets of a subtensor)'}`,
      `  genesis    ${facts.genesis}`,
      `  best       block ${best?.number} of ${blockMs / 1000} s each`,
      `  finalised  block ${finalised?.number}`,
      ...(facts.isSubtensor ? [subnetText(flags.netuid, subnet)] : []),
    ]
    io.stdout.write(`${lines.join('\n')}\n`)
  })

type Subnet = {
  readonly neurons: number
  readonly epoch: number
  readonly tempo: number
  readonly commitReveal: boolean
  readonly weightsRateLimit: number
}

/** `null` when there is none of this number. */
async function subnetAt(api: ApiPromise, netuid: number): Promise<Subnet | null> {
  const state = await stateAt(api, (await finalHead(api)).hash)
  if (!(await subnetExists(state, netuid))) return null
  const { uidCount: neurons, epoch, tempo, commitReveal, weightsRateLimit } = await readRules(state, netuid)
  return { neurons, epoch, tempo, commitReveal, weightsRateLimit }
}

function subnetText(netuid: number, subnet: Subnet | null): string {
  if (subnet === null) return `  subnet ${netuid}   does not exist`
  const { neurons, epoch, tempo, commitReveal, weightsRateLimit } = subnet
  const mode = commitReveal ? 'weights by commit and reveal' : 'weights at once'
  return `  subnet ${netuid}   ${neurons} neurons, epoch ${epoch} of ${tempo} blocks, ${mode}, every ${weightsRateLimit} blocks at most`
}
