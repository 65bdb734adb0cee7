/** `wheelwright chain`: the development chain, until Ctrl-C. */
import { createDevChain } from '../chain/dev/index.ts'
import type { DEV_CHAIN_FLAGS } from './chain-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, writeJson } from './io.ts'

export async function run(flags: FlagValues<typeof DEV_CHAIN_FLAGS>, io: Io): Promise<void> {
  const chain = await createDevChain({ port: flags.port, host: flags.host, blockMs: flags['block-ms'] })
  if (flags.json) writeJson(io.stdout, { url: chain.url, port: chain.port })
  else io.stdout.write(`a development chain on ${chain.url}, a block every ${flags['block-ms']} ms (Ctrl-C ends it)\n`)
  if (!io.signal.aborted) await new Promise((resolve) => io.signal.addEventListener('abort', resolve, { once: true }))
  await chain.stop()
}
