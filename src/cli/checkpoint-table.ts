/** The commands of `wheelwright checkpoint`: files by their content, from peer to peer. */
import { NETWORK_FLAGS } from './chain-table.ts'
import type { Command, Example, Flags, FlagValues, Group, Positional } from './command.ts'
import type { Io } from './io.ts'
import { WALLET_FLAGS } from './wallet-table.ts'

export const STORE_FLAGS = {
  dir: { type: 'string', valueName: 'DIR', default: '.wheelwright/store', description: 'where the store is' },
  quota: {
    type: 'string',
    valueName: 'BYTES',
    default: '256GiB',
    description: 'how much it may hold; with KiB, MiB, GiB or TiB behind the number, too',
  },
  store: {
    type: 'string',
    valueName: 's3://BUCKET/PREFIX',
    description: 'a bucket for the blocks; AWS_ENDPOINT_URL, AWS_REGION and AWS_ACCESS_KEY_ID say whose',
  },
} as const satisfies Flags

const CYCLE_FLAG = {
  cycle: {
    type: 'integer',
    valueName: 'N',
    min: 0,
    max: 0xffff_ffff,
    default: 0,
    description: 'the cycle that it belongs to, for lists',
  },
} as const satisfies Flags

export const PINNED_FLAGS = {
  ...STORE_FLAGS,
  pin: { type: 'string', valueName: 'NAME', description: 'keep it under this name; else the next gc frees it' },
  ...CYCLE_FLAG,
} as const satisfies Flags

const SUBNET_FLAGS = {
  subnet: { type: 'string', valueName: 'FILE', description: 'the subnet whose members are meant: its constitution' },
  network: NETWORK_FLAGS.network,
} as const satisfies Flags

export const SERVE_FLAGS = {
  ...STORE_FLAGS,
  listen: {
    type: 'string',
    valueName: 'ADDRESS,…',
    default: '/ip4/127.0.0.1/tcp/4002',
    description: 'multiaddrs to listen on; /ip4/0.0.0.0/tcp/4002 for everybody',
  },
  announce: {
    type: 'string',
    valueName: 'ADDRESS,…',
    default: '',
    description: 'what others shall dial, where that differs from what it listens on',
  },
  admit: {
    type: 'string',
    valueName: 'WHOM',
    default: 'anyone',
    oneOf: ['anyone', 'metagraph'],
    description: 'whom it serves; metagraph: peers whose card is signed by a hotkey of --subnet',
  },
  ...SUBNET_FLAGS,
  allow: {
    type: 'string',
    valueName: 'PEER,…',
    default: '',
    description: 'serve these peer ids, whatever the metagraph says; with --admit anyone, these and nobody else',
  },
  deny: { type: 'string', valueName: 'PEER,…', default: '', description: 'never serve these peer ids' },
  private: { type: 'boolean', description: 'all peers live on one machine or test bench: dial private addresses too' },
} as const satisfies Flags

export const GET_FLAGS = {
  ...PINNED_FLAGS,
  from: {
    type: 'string',
    valueName: 'ADDRESS,…',
    default: '',
    description:
      'multiaddrs of peers that have it, or fetch it too, each with /p2p/ and the peer id; all are used at once',
  },
  listen: {
    type: 'string',
    valueName: 'ADDRESS,…',
    default: '',
    description: 'serve on these multiaddrs meanwhile; who fetches the same names this peer in --from, too',
  },
  out: {
    type: 'string',
    valueName: 'FILE',
    description: 'where the file goes; without it, it stays in the store alone',
  },
  ...WALLET_FLAGS,
  ...SUBNET_FLAGS,
} as const satisfies Flags

export const PIN_FLAGS = {
  ...STORE_FLAGS,
  name: { type: 'string', valueName: 'NAME', description: 'the name of the pin' },
  ...CYCLE_FLAG,
} as const satisfies Flags

export const UNPIN_FLAGS = { ...STORE_FLAGS, name: PIN_FLAGS.name } as const satisfies Flags

export const EXPORT_FLAGS = {
  ...STORE_FLAGS,
  out: { type: 'string', valueName: 'FILE', description: 'where the CAR goes' },
} as const satisfies Flags

type Run<F extends Flags> = (flags: FlagValues<F>, io: Io, words: readonly string[]) => Promise<void>
type Parts<F extends Flags> = {
  readonly flags: F
  readonly words?: readonly Positional[]
  readonly examples: readonly [Example, ...Example[]]
  readonly run: () => Promise<Run<F>>
}

/** The tree takes commands of any flags; that each `run` fits its own is checked here. */
const command = <F extends Flags>(
  name: string,
  summary: string,
  { flags, words, examples, run }: Parts<F>,
): Command => {
  const entry: Command<F> = {
    name,
    summary,
    ...(words === undefined ? {} : { positionals: words }),
    flags,
    examples,
    load: async () => ({ run: await run() }),
  }
  return entry as unknown as Command
}

const CID_WORD: Positional = { name: 'CID', description: 'of the checkpoint, as `checkpoint add` printed it' }
const EXAMPLE_CID = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
const EXAMPLE_FROM = '/ip4/127.0.0.1/tcp/4002/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'

export const checkpointGroup: Group = {
  name: 'checkpoint',
  summary: 'store, serve, fetch and check files by their content, with any IPFS software',
  examples: [
    { line: 'wheelwright checkpoint add model.safetensors', shows: 'its CID' },
    { line: 'wheelwright checkpoint serve', shows: 'the address for --from' },
    {
      line: `wheelwright checkpoint get ${EXAMPLE_CID} --from ${EXAMPLE_FROM} --out model.safetensors`,
      shows: 'the file',
    },
  ],
  commands: [
    command('add', 'store a file and print its CID', {
      flags: PINNED_FLAGS,
      words: [{ name: 'FILE', description: 'a checkpoint; *.safetensors is judged first, and cut at its tensors' }],
      examples: [
        { line: 'wheelwright checkpoint add model.safetensors', shows: 'its CID, its size and its SHA-256' },
        { line: 'wheelwright checkpoint add model.safetensors --pin base --cycle 12', shows: 'the same, kept by gc' },
      ],
      run: async () => (await import('./checkpoint-add.ts')).run,
    }),
    command('serve', 'serve the store to peers and to other IPFS software, until Ctrl-C', {
      flags: SERVE_FLAGS,
      examples: [
        { line: 'wheelwright checkpoint serve', shows: 'the address for --from, on this machine' },
        { line: 'wheelwright checkpoint serve --listen /ip4/0.0.0.0/tcp/4002 --json', shows: 'the same for everybody' },
        {
          line: 'wheelwright checkpoint serve --admit metagraph --subnet subnet.json --network finney',
          shows: 'the same for members of a subnet alone',
        },
      ],
      run: async () => (await import('./checkpoint-serve.ts')).run,
    }),
    command('get', 'fetch a checkpoint, checked block by block; goes on where it was stopped', {
      flags: GET_FLAGS,
      words: [CID_WORD],
      examples: [
        {
          line: `wheelwright checkpoint get ${EXAMPLE_CID} --from ${EXAMPLE_FROM} --out model.safetensors`,
          shows: 'the file, its size and its SHA-256',
        },
        { line: `wheelwright checkpoint get ${EXAMPLE_CID} --out model.safetensors`, shows: 'a file of this store' },
      ],
      run: async () => (await import('./checkpoint-get.ts')).run,
    }),
    ...keepingCommands(),
    command('export', 'write a checkpoint as a CAR, which every IPFS software reads', {
      flags: EXPORT_FLAGS,
      words: [CID_WORD],
      examples: [{ line: `wheelwright checkpoint export ${EXAMPLE_CID} --out model.car`, shows: 'all its blocks' }],
      run: async () => (await import('./checkpoint-car.ts')).exportFile,
    }),
    command('import', 'store what is in a CAR, block by block, each checked', {
      flags: PINNED_FLAGS,
      words: [{ name: 'FILE', description: 'a CAR of version 1' }],
      examples: [{ line: 'wheelwright checkpoint import model.car --pin base', shows: 'its roots' }],
      run: async () => (await import('./checkpoint-car.ts')).importFile,
    }),
  ],
}

function keepingCommands(): readonly Command[] {
  return [
    command('verify', 'hash every block again; damaged ones are named and removed', {
      flags: STORE_FLAGS,
      words: [{ ...CID_WORD, optional: true, description: 'of one checkpoint; without it, everything in the store' }],
      examples: [
        { line: 'wheelwright checkpoint verify', shows: 'the whole store' },
        { line: `wheelwright checkpoint verify ${EXAMPLE_CID}`, shows: 'one checkpoint, and what is missing of it' },
      ],
      run: async () => (await import('./checkpoint-verify.ts')).run,
    }),
    command('ls', 'list what is pinned, and what the store holds', {
      flags: STORE_FLAGS,
      examples: [{ line: 'wheelwright checkpoint ls', shows: 'names, cycles, sizes and CIDs' }],
      run: async () => (await import('./checkpoint-keep.ts')).ls,
    }),
    command('pin', 'keep a checkpoint under a name', {
      flags: PIN_FLAGS,
      words: [CID_WORD],
      examples: [
        { line: `wheelwright checkpoint pin ${EXAMPLE_CID} --name base --cycle 12`, shows: 'gc leaves it alone' },
      ],
      run: async () => (await import('./checkpoint-keep.ts')).pin,
    }),
    command('unpin', 'take a name away from a checkpoint', {
      flags: UNPIN_FLAGS,
      words: [CID_WORD],
      examples: [
        { line: `wheelwright checkpoint unpin ${EXAMPLE_CID} --name base`, shows: 'gc frees it, if it has no other' },
      ],
      run: async () => (await import('./checkpoint-keep.ts')).unpin,
    }),
    command('gc', 'free what no pin needs', {
      flags: STORE_FLAGS,
      examples: [{ line: 'wheelwright checkpoint gc', shows: 'how many bytes that gave back' }],
      run: async () => (await import('./checkpoint-keep.ts')).gc,
    }),
  ]
}
