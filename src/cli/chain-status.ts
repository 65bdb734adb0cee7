/** `wheelwright chain status`: what an endpoint is, how far it is, and whether it can be relied on. */

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
    const { endpoint, best, finalised, blockMs } = chain.health()
    const status = { ...facts, endpoint, best, finalised, blockMs }
    if (flags.json) return writeJson(io.stdout, status)
    const lines = [
      `${printable(facts.chain)} at ${endpoint}`,
      `  runtime    ${printable(facts.runtime)}${facts.isSubtensor ? '' : ' (without the pallets of a subtensor)'}`,
      `  genesis    ${facts.genesis}`,
      `  best       block ${best?.number} of ${blockMs / 1000} s each`,
      `  finalised  block ${finalised?.number}`,
    ]
    io.stdout.write(`${lines.join('\n')}\n`)
  })
