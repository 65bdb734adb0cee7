/** The command `wheelwright doctor`: whether this machine can run a node. */
import { NETWORK_FLAGS } from './chain-table.ts'
import { STORE_FLAGS } from './checkpoint-table.ts'
import type { Command, Flags } from './command.ts'
import { WALLET_DIR_FLAG } from './wallet-table.ts'

export const DOCTOR_FLAGS = {
  dir: STORE_FLAGS.dir,
  network: {
    type: 'string',
    valueName: 'NAME|URL',
    description: 'the chain to reach, and to compare the clock with; without it, none is asked',
  },
  netuid: NETWORK_FLAGS.netuid,
  listen: {
    type: 'string',
    valueName: 'ADDRESS,…',
    default: '/ip4/127.0.0.1/tcp/4002',
    description: 'multiaddrs that the node shall listen on',
  },
  entry: { type: 'string', valueName: 'ADDRESS,…', default: '', description: 'entry peers to reach' },
  ...WALLET_DIR_FLAG,
} as const satisfies Flags

export const doctor: Command<typeof DOCTOR_FLAGS> = {
  name: 'doctor',
  summary: 'check what a node needs of this machine, each finding with its remedy',
  flags: DOCTOR_FLAGS,
  examples: [
    { line: 'wheelwright doctor', shows: 'Node, disk, ports and wallets; nobody else is asked' },
    { line: 'wheelwright doctor --network finney', shows: 'the chain and the clock, too' },
  ],
  load: () => import('./doctor.ts'),
}
