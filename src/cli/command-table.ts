/**
 * Every command there is. A new command is one entry here and one file with its `run`.
 *
 * A command's flags stand apart from its entry, so that its file can take their types from here.
 */
import { PRESET_NAMES } from '../protocol/preset.ts'
import { bootnode } from './bootnode-table.ts'
import { chainGroup } from './chain-table.ts'
import { checkpointGroup } from './checkpoint-table.ts'
import type { Command, Flags, Group } from './command.ts'
import { doctor } from './doctor-table.ts'
import { modelGroup } from './model-table.ts'
import { peers } from './peers-table.ts'
import { walletGroup } from './wallet-table.ts'

export const UP_FLAGS = {
  cycles: {
    type: 'integer',
    valueName: 'N',
    min: 1,
    max: 1_000_000,
    unit: 'cycles',
    description: 'end after this many cycles instead of at Ctrl-C',
  },
  seed: {
    type: 'integer',
    valueName: 'S',
    min: 0,
    max: 0xffff_ffff,
    description: 'rehearse in virtual time over a chain in memory: the same seed, the same story to the byte',
  },
  'block-ms': {
    type: 'integer',
    valueName: 'MS',
    min: 0,
    max: 60_000,
    unit: 'ms',
    description: 'how long a block takes: 250 to 12000, 1000 when absent; with --seed, how long to pause after each',
  },
  port: {
    type: 'integer',
    valueName: 'PORT',
    min: 0,
    max: 65_535,
    description: 'where the chain listens on loopback; any free one when absent',
  },
  rogues: {
    type: 'string',
    valueName: 'KINDS',
    default: 'all',
    description: 'who tries to cheat: all, none, or a list of noise,copycat,late,hub,sybil,liar',
  },
} as const satisfies Flags

const up: Command<typeof UP_FLAGS> = {
  name: 'up',
  summary: 'run a whole local network in this process',
  flags: UP_FLAGS,
  examples: [
    { line: 'wheelwright up', shows: 'a network from nothing, until Ctrl-C' },
    { line: 'wheelwright up --cycles 2', shows: 'two cycles, each with its table' },
    { line: 'wheelwright up --cycles 3 --rogues none', shows: 'the same among honest nodes' },
    { line: 'wheelwright up --cycles 2 --json', shows: 'every event as a line of JSON' },
    { line: 'wheelwright up --cycles 2 --seed 7', shows: 'a rehearsal, the same every time' },
  ],
  load: () => import('./up.ts'),
}

export const CONSTITUTION_CHECK_FLAGS = {} as const satisfies Flags

const constitutionCheck: Command<typeof CONSTITUTION_CHECK_FLAGS> = {
  name: 'check',
  summary: 'judge a constitution and print the name of its network',
  positionals: [{ name: 'FILE', description: 'a constitution as JSON, or - for standard input' }],
  flags: CONSTITUTION_CHECK_FLAGS,
  examples: [
    {
      line: 'wheelwright constitution check subnet.json',
      shows: 'its CID and its deadlines, or the field that is wrong',
    },
    { line: 'wheelwright constitution check subnet.json --json', shows: 'the same for programs' },
  ],
  load: () => import('./constitution-check.ts'),
}

export const CONSTITUTION_EXAMPLE_FLAGS = {
  preset: {
    type: 'string',
    valueName: 'NAME',
    default: 'local',
    oneOf: PRESET_NAMES,
    description: 'whose clock and constants to start from',
  },
} as const satisfies Flags

const constitutionExample: Command<typeof CONSTITUTION_EXAMPLE_FLAGS> = {
  name: 'example',
  summary: 'print a valid constitution to start from, as JSON',
  flags: CONSTITUTION_EXAMPLE_FLAGS,
  examples: [
    {
      line: 'wheelwright constitution example --preset mainnet',
      shows: 'rules to edit: chain, model, groups',
    },
  ],
  load: () => import('./constitution-example.ts'),
}

const constitution: Group = {
  name: 'constitution',
  summary: 'write and judge the rules of a network',
  commands: [constitutionCheck, constitutionExample],
  examples: [{ line: 'wheelwright constitution example', shows: 'the rules of a laptop network' }],
}

export const EXPLAIN_FLAGS = {} as const satisfies Flags

const explain: Command<typeof EXPLAIN_FLAGS> = {
  name: 'explain',
  summary: 'say what an error code means and what to do',
  positionals: [{ name: 'CODE', optional: true, description: 'an error code; without it, all of them' }],
  flags: EXPLAIN_FLAGS,
  examples: [
    { line: 'wheelwright explain USAGE', shows: 'one code' },
    { line: 'wheelwright explain', shows: 'all codes' },
  ],
  load: () => import('./explain.ts'),
}

export const HELP_FLAGS = {} as const satisfies Flags

const help: Command<typeof HELP_FLAGS> = {
  name: 'help',
  summary: 'show the help of a command',
  positionals: [
    { name: 'COMMAND', optional: true, description: 'the command; without it, all of them' },
    { name: 'SUBCOMMAND', optional: true, description: 'a command of that command' },
  ],
  flags: HELP_FLAGS,
  examples: [
    { line: 'wheelwright help', shows: 'all commands' },
    { line: 'wheelwright help up', shows: 'one command, the same as `wheelwright up --help`' },
  ],
  load: () => import('./help.ts'),
}

export const ROOT: Group = {
  name: 'wheelwright',
  summary: 'decentralised training of mixture-of-experts models',
  commands: [
    up,
    bootnode,
    modelGroup,
    checkpointGroup,
    peers,
    doctor,
    chainGroup,
    walletGroup,
    constitution,
    explain,
    help,
  ],
  examples: [
    { line: 'wheelwright up', shows: 'a whole network on this machine' },
    { line: 'wheelwright up --help', shows: 'what a command can do' },
  ],
}
