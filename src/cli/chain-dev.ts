/** `wheelwright chain`: the development chain, until Ctrl-C. */
import {
  createDevChain,
  DEV_ACCOUNTS,
  type DevChain,
  FAULT_KINDS,
  type Fault,
  parseFault,
  type SubnetSpec,
} from '../chain/dev/index.ts'
import { NodeError } from '../errors.ts'
import type { DEV_CHAIN_FLAGS } from './chain-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'

const ALICE = DEV_ACCOUNTS['//Alice']
/** Something to register in. Epochs come within a minute or two, and weights as often as one likes. */
const SUBNET: SubnetSpec = { owner: { coldkey: ALICE, hotkey: ALICE }, neurons: [], tempo: 60, weightsRateLimit: 0 }
/** A client is well again before the next one comes. */
const BLOCKS_PER_FAULT = 8

export async function run(flags: FlagValues<typeof DEV_CHAIN_FLAGS>, io: Io): Promise<void> {
  const faults = faultsOf(flags.fault)
  const { port, host, 'block-ms': blockMs, dir = null } = flags
  const chain = await createDevChain({ port, host, blockMs, dir, subnets: [SUBNET] })
  if (flags.json) writeJson(io.stdout, { url: chain.url, port: chain.port, block: chain.head().number })
  else io.stdout.write(`a development chain on ${chain.url}, a block every ${blockMs} ms (Ctrl-C ends it)\n`)
  const stopFaults = faults.length === 0 ? null : keepFailing(chain, faults, BLOCKS_PER_FAULT * blockMs, flags.json, io)
  if (!io.signal.aborted) await new Promise((resolve) => io.signal.addEventListener('abort', resolve, { once: true }))
  stopFaults?.()
  await chain.stop()
}

function faultsOf(text: string): readonly Fault[] {
  if (text === '') return []
  return text.split(',').map((part) => {
    const fault = parseFault(part)
    if (fault !== null) return fault
    throw new NodeError('USAGE', {
      what: `--fault does not know '${printable(part)}'`,
      why: `there are ${FAULT_KINDS.join(', ')}, some with a number behind a colon`,
      remedy: 'for example --fault drop,delay:2000,refuse:1014',
    })
  })
}

function keepFailing(chain: DevChain, faults: readonly Fault[], everyMs: number, json: boolean, io: Io): () => void {
  let turn = 0
  const timer = setInterval(() => {
    const fault = faults[turn++ % faults.length] as Fault
    chain.fault(fault)
    const block = chain.head().number
    if (json) writeJson(io.stdout, { block, fault })
    else io.stdout.write(`block ${block}: ${fault.kind}\n`)
  }, everyMs)
  return () => clearInterval(timer)
}
