/** The commands of `wheelwright chain`: the development chain, and what one asks of any chain. */
import type { Command, Example, Flags, FlagValues, Group } from './command.ts'
import type { Io } from './io.ts'
import { PASSWORD_FLAG, WALLET_FLAGS } from './wallet-table.ts'

export const DEV_CHAIN_FLAGS = {
  port: {
    type: 'integer',
    valueName: 'PORT',
    min: 0,
    max: 65_535,
    default: 9944,
    description: 'where to listen; 0 takes any free port',
  },
  host: {
    type: 'string',
    valueName: 'ADDRESS',
    default: '127.0.0.1',
    description: 'the address to listen on; nothing here is protected against strangers',
  },
  'block-ms': {
    type: 'integer',
    valueName: 'MS',
    min: 250,
    max: 12_000,
    default: 1_000,
    unit: 'ms',
    description: 'time between blocks',
  },
  dir: {
    type: 'string',
    valueName: 'DIR',
    description: 'where the chain lives on across restarts; else it is in memory',
  },
  fault: {
    type: 'string',
    valueName: 'KIND[:N],…',
    default: '',
    description: 'what goes wrong, one of these every eight blocks in turn; a wrong kind lists all',
  },
} as const satisfies Flags

export const NETWORK_FLAGS = {
  network: {
    type: 'string',
    valueName: 'NAME|URL',
    default: 'local',
    description: 'local, test, finney, or WebSocket addresses separated by commas',
  },
  netuid: { type: 'integer', valueName: 'N', min: 0, max: 65_535, default: 1, description: 'the subnet' },
} as const satisfies Flags

const WRITE_FLAGS = {
  ...NETWORK_FLAGS,
  uri: { type: 'string', valueName: 'URI', description: 'a development key such as //Alice, on local chains only' },
  ...WALLET_FLAGS,
  dir: {
    type: 'string',
    valueName: 'DIR',
    description: 'where it is kept what was sent, so that nothing is sent twice; ~/.wheelwright/chain when not given',
  },
} as const satisfies Flags

/** Registering and staking spend money, so the coldkey signs. */
export const COLD_FLAGS = { ...WRITE_FLAGS, ...PASSWORD_FLAG } as const satisfies Flags

export const STAKE_FLAGS = {
  ...COLD_FLAGS,
  amount: {
    type: 'integer',
    valueName: 'TAO',
    min: 1,
    max: 21_000_000,
    default: 1,
    unit: 'TAO',
    description: 'how much to stake',
  },
} as const satisfies Flags

export const TRANSFER_FLAGS = {
  ...COLD_FLAGS,
  to: { type: 'string', valueName: 'ADDRESS', default: '', description: 'whom to send it to, as SS58' },
  amount: {
    type: 'integer',
    valueName: 'TAO',
    min: 1,
    max: 21_000_000,
    default: 1,
    unit: 'TAO',
    description: 'how much to send',
  },
} as const satisfies Flags

export const COMMIT_FLAGS = {
  ...WRITE_FLAGS,
  data: { type: 'string', valueName: 'HEX', default: '', description: 'up to 128 bytes as hex' },
} as const satisfies Flags

export const WEIGHTS_FLAGS = {
  ...WRITE_FLAGS,
  uids: { type: 'string', valueName: 'U,…', default: '', description: 'uids, separated by commas' },
  values: { type: 'string', valueName: 'W,…', default: '', description: 'their weights, 0 to 65535' },
} as const satisfies Flags

const command = <F extends Flags>(
  name: string,
  summary: string,
  flags: F,
  examples: readonly [Example, ...Example[]],
  run: () => Promise<(flags: FlagValues<F>, io: Io) => Promise<void>>,
): Command<F> => ({ name, summary, flags, examples, load: async () => ({ run: await run() }) })

const development = command(
  'chain',
  'run a development chain that real clients cannot tell apart',
  DEV_CHAIN_FLAGS,
  [
    { line: 'wheelwright chain', shows: 'a chain on ws://127.0.0.1:9944, a block a second' },
    { line: 'wheelwright chain --port 0 --block-ms 250 --json', shows: 'its address as JSON, for programs' },
    { line: 'wheelwright chain --fault drop,swallow,fork', shows: 'a chain that fails, to try a client on' },
  ],
  async () => (await import('./chain-dev.ts')).run,
)

const LOCAL_KEY = '--uri //Alice'

export const chainGroup: Group = {
  name: 'chain',
  summary: 'a development chain, and what one asks of any chain',
  own: development as unknown as Command,
  examples: [
    { line: 'wheelwright chain', shows: 'the development chain' },
    { line: 'wheelwright chain status --network finney', shows: 'a public one' },
  ],
  commands: [
    command(
      'status',
      'say what an endpoint is and how far it is',
      NETWORK_FLAGS,
      [{ line: 'wheelwright chain status', shows: 'the local development chain' }],
      async () => (await import('./chain-status.ts')).run,
    ),
    command(
      'metagraph',
      'list who is in a subnet',
      NETWORK_FLAGS,
      [
        {
          line: 'wheelwright chain metagraph --network finney --netuid 102',
          shows: 'a public subnet at one finalised block',
        },
      ],
      async () => (await import('./chain-metagraph.ts')).run,
    ),
    command(
      'register',
      'register a hotkey in a subnet by burning its price',
      COLD_FLAGS,
      [
        { line: `wheelwright chain register --netuid 1 ${LOCAL_KEY}`, shows: 'a development key registers itself' },
        { line: 'wheelwright chain register --wallet mine --hotkey second', shows: 'a hotkey, paid by its coldkey' },
      ],
      async () => (await import('./chain-write.ts')).register,
    ),
    command(
      'stake',
      'add stake to a hotkey',
      STAKE_FLAGS,
      [{ line: `wheelwright chain stake --amount 100 ${LOCAL_KEY}`, shows: 'a hundred TAO' }],
      async () => (await import('./chain-write.ts')).stake,
    ),
    command(
      'transfer',
      'send TAO, for instance to a new wallet on a development chain',
      TRANSFER_FLAGS,
      [{ line: `wheelwright chain transfer ${LOCAL_KEY} --to 5F… --amount 100`, shows: 'from the first account' }],
      async () => (await import('./chain-write.ts')).transfer,
    ),
    command(
      'commit',
      'write a commitment and read it back',
      COMMIT_FLAGS,
      [{ line: `wheelwright chain commit --data 0badc0de ${LOCAL_KEY}`, shows: 'four bytes in the slot of a hotkey' }],
      async () => (await import('./chain-write.ts')).commit,
    ),
    command(
      'weights',
      'set weights in whatever mode the subnet demands, to the end',
      WEIGHTS_FLAGS,
      [
        {
          line: `wheelwright chain weights --uids 1,2 --values 10,20 ${LOCAL_KEY}`,
          shows: 'set or committed and revealed, then read back',
        },
      ],
      async () => (await import('./chain-write.ts')).weights,
    ),
  ] as unknown as readonly Command[],
}
