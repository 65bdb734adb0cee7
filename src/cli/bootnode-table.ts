/** The command `wheelwright bootnode`: an entry peer. */
import type { Command, Flags } from './command.ts'

export const BOOTNODE_FLAGS = {
  subnet: {
    type: 'string',
    valueName: 'FILE|CID',
    description: 'whose entry peer it is: a constitution as JSON, or its CID',
  },
  listen: {
    type: 'string',
    valueName: 'ADDRESS,…',
    default: '/ip4/127.0.0.1/tcp/4001',
    description: 'multiaddrs to listen on; /ip4/0.0.0.0/tcp/4001 for everybody',
  },
  announce: {
    type: 'string',
    valueName: 'ADDRESS,…',
    default: '',
    description: 'what others shall dial, where that differs from what it listens on',
  },
  entry: { type: 'string', valueName: 'ADDRESS,…', default: '', description: 'other entry peers of the same network' },
  dir: {
    type: 'string',
    valueName: 'DIR',
    default: '.wheelwright/bootnode',
    description: 'where its key is kept: with the same key it keeps its address',
  },
  allow: {
    type: 'string',
    valueName: 'PEER,…',
    default: '',
    description: 'let these peer ids in and nobody else; without it, everybody',
  },
  deny: { type: 'string', valueName: 'PEER,…', default: '', description: 'never let these peer ids in' },
  private: { type: 'boolean', description: 'all peers live on one machine or test bench: dial private addresses too' },
} as const satisfies Flags

export const bootnode: Command<typeof BOOTNODE_FLAGS> = {
  name: 'bootnode',
  summary: 'be the entry peer of a network: always on, known by its address',
  flags: BOOTNODE_FLAGS,
  examples: [
    { line: 'wheelwright bootnode --subnet subnet.json --private', shows: 'an entry peer on this machine' },
    {
      line: 'wheelwright bootnode --subnet subnet.json --listen /ip4/0.0.0.0/tcp/4001',
      shows: 'one for everybody; the address to hand out is printed',
    },
  ],
  load: () => import('./bootnode.ts'),
}
