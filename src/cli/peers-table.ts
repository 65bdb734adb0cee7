/** The command `wheelwright peers`: who is in a network. */
import { NETWORK_FLAGS } from './chain-table.ts'
import type { Command, Flags } from './command.ts'
import { WALLET_FLAGS } from './wallet-table.ts'

export const PEERS_FLAGS = {
  subnet: { type: 'string', valueName: 'FILE|CID', description: 'which network: a constitution as JSON, or its CID' },
  entry: {
    type: 'string',
    valueName: 'ADDRESS,…',
    default: '',
    description: 'multiaddrs of its entry peers, each with /p2p/ and the peer id',
  },
  seconds: {
    type: 'integer',
    valueName: 'N',
    min: 1,
    max: 600,
    default: 5,
    unit: 's',
    description: 'how long to look for others',
  },
  ...WALLET_FLAGS,
  network: NETWORK_FLAGS.network,
  private: { type: 'boolean', description: 'all peers live on one machine or test bench: dial private addresses too' },
} as const satisfies Flags

export const peers: Command<typeof PEERS_FLAGS> = {
  name: 'peers',
  summary: 'list the peers of a network, how far they are and what they speak',
  flags: PEERS_FLAGS,
  examples: [
    {
      line: 'wheelwright peers --subnet subnet.json --private --entry /ip4/127.0.0.1/tcp/4001/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp',
      shows: 'who is met through an entry peer in five seconds',
    },
    {
      line: 'wheelwright peers --subnet subnet.json --wallet mine --hotkey second --network finney --entry ADDRESS',
      shows: 'the same as a member of the subnet, whom others let in',
    },
  ],
  load: () => import('./peers.ts'),
}
