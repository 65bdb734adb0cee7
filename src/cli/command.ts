/**
 * What a command is: plain data, so that help, parsing and the nearest-name advice need not load the command itself.
 *
 * The tree is a group of groups and commands; the root of it is in command-table.ts. What a command does lives in a
 * file of its own, imported when it runs: twelve commands share this start, and most of them need most of the stack.
 */
import type { Io } from './io.ts'

export type Flag =
  | { readonly type: 'boolean'; readonly description: string }
  | {
      readonly type: 'string'
      readonly valueName: string
      readonly default?: string
      readonly oneOf?: readonly string[]
      readonly description: string
    }
  | {
      readonly type: 'integer'
      readonly valueName: string
      readonly min: number
      readonly max: number
      readonly default?: number
      /** As people say it: `ms`, `blocks`. */
      readonly unit?: string
      readonly description: string
    }

/** By name, without the dashes. */
export type Flags = Readonly<Record<string, Flag>>

type ValueOf<F extends Flag> = F extends { type: 'boolean' }
  ? boolean
  : F extends { default: infer D }
    ? D extends number
      ? number
      : string
    : (F extends { type: 'integer' } ? number : string) | undefined

/** What `run` receives: every flag has its value or its default, and `json` is always there. */
export type FlagValues<F extends Flags> = { readonly [K in keyof F]: ValueOf<F[K]> } & { readonly json: boolean }

export type Positional = {
  readonly name: string
  readonly optional?: boolean
  /** The last one may take all words that are left. */
  readonly many?: boolean
  readonly description: string
}

export type Example = {
  /** The whole line as one types it. */
  readonly line: string
  readonly shows: string
}

export type Command<F extends Flags = Flags> = {
  readonly name: string
  /** Lower case, no full stop: it stands in lists. */
  readonly summary: string
  readonly positionals?: readonly Positional[]
  readonly flags: F
  readonly examples: readonly [Example, ...Example[]]
  load(): Promise<CommandModule<F>>
}

export type CommandModule<F extends Flags> = {
  /** Resolves when the work is complete, throws a NodeError when it cannot be, and ends soon when `io.signal` aborts. */
  run(flags: FlagValues<F>, io: Io, positionals: readonly string[]): Promise<void>
}

export type Group = {
  readonly name: string
  readonly summary: string
  readonly commands: readonly (Command | Group)[]
  /** What the group's bare name does; without it, the name prints the help. Its own name is the group's. */
  readonly own?: Command
  readonly examples: readonly [Example, ...Example[]]
}

export const isGroup = (entry: Command | Group): entry is Group => 'commands' in entry

/** Every command understands these; they may stand before or after its name. */
export const GLOBAL_FLAGS = {
  json: { type: 'boolean', description: 'print newline-delimited JSON on stdout, for programs' },
  help: { type: 'boolean', description: 'show this help' },
  version: { type: 'boolean', description: 'show the version' },
} as const satisfies Flags
