import { expect, test } from 'vitest'
import type { Command, CommandModule, Flags, Group } from '../../src/cli/command.ts'
import { main } from '../../src/cli/main.ts'
import { EXIT, NodeError } from '../../src/errors.ts'
import { createFakeIo } from './fake-io.ts'

const good: [argv: string, out: RegExp][] = [
  ['', /usage: wheelwright <command>/],
  ['--help', /Exit codes/],
  ['-h', /usage: wheelwright <command>/],
  ['help', /usage: wheelwright <command>/],
  ['help up', /usage: wheelwright up \[flags\]/],
  ['up --help', /Examples\n {2}wheelwright up /],
  ['--help up', /usage: wheelwright up \[flags\]/],
  ['up --cycles nonsense --help', /--block-ms MS/],
  ['explain --help', /usage: wheelwright explain \[CODE\] \[flags\]/],
  ['help --help', /usage: wheelwright help/],
  ['--version', /^\d+\.\d+\.\d+\n$/],
  ['up --version', /^\d+\.\d+\.\d+\n$/],
  ['--version --json', /^\{"version":"\d+\.\d+\.\d+"\}\n$/],
  ['up --help --json', /^\{"help":\{"name":"wheelwright up".*\}\n$/],
  ['explain', /INTERNAL \(exit code 1\)[\s\S]*USAGE \(exit code 2\)/],
  ['explain usage', /^USAGE \(exit code 2\)\n/],
  ['explain INTERNAL --json', /^\{"code":"INTERNAL","exit":1,"means":".*","remedy":".*"\}\n$/],
  ['--json explain -- INTERNAL', /^\{"code":"INTERNAL"/],
]
test.each(good)('wheelwright %s', async (line, out) => {
  const { io, texts } = createFakeIo()
  expect(await main(words(line), io)).toBe(EXIT.ok)
  expect(texts.out).toMatch(out)
  expect(texts.err).toBe('')
})

const bad: [argv: string, what: string, why: string][] = [
  ['upp', "there is no command 'upp'", "the nearest one is 'up'"],
  ['wibble', "there is no command 'wibble'", 'no command has a name like it'],
  ['constructor', "there is no command 'constructor'", 'no command has a name like it'],
  ['help expalin', "there is no command 'expalin'", "the nearest one is 'explain'"],
  ['--hlep', 'there is no flag --hlep', 'the nearest one is --help'],
  ['-x', "'-x' stands where a command should", 'flags come after the command'],
  ['up --cycle 3', 'there is no flag --cycle', 'the nearest one is --cycles'],
  ['up --__proto__', 'there is no flag --__proto__', 'this command has no flag with a name like it'],
  ['up -c', 'there is no flag -c', 'this command has no flag with a name like it'],
  ['up --cycles', '--cycles needs a value', 'it takes a whole number from 1 to 1000000 (cycles)'],
  ['up --cycles --seed 1', '--cycles needs a value', 'it takes a whole number'],
  ['up --cycles 0', "--cycles cannot be '0'", 'it takes a whole number from 1 to 1000000 (cycles)'],
  ['up --cycles 1000001', "--cycles cannot be '1000001'", 'from 1 to 1000000'],
  ['up --cycles 1.5', "--cycles cannot be '1.5'", 'it takes a whole number'],
  ['up --cycles 1e3', "--cycles cannot be '1e3'", 'it takes a whole number'],
  ['up --cycles 0x10', "--cycles cannot be '0x10'", 'it takes a whole number'],
  ['up --cycles=', "--cycles cannot be ''", 'it takes a whole number'],
  ['up --seed -1', "--seed cannot be '-1'", 'it takes a whole number from 0 to 4294967295'],
  ['up --seed 99999999999999999999', "--seed cannot be '99999999999999999999'", 'it takes a whole number'],
  ['up --seed 1 --seed 2', '--seed is given twice', 'only one of the two could count'],
  ['up --help=yes --cycles 1', '--help takes no value', 'it is either there or not'],
  ['up now', "'now' is one word too many", 'this command takes no words'],
  ['up -- --help', "'--help' is one word too many", 'this command takes no words'],
  ['explain A B', "'B' is one word too many", 'this command takes 1 at most'],
  ['explain INTERNL', "there is no error code 'INTERNL'", 'the nearest one is INTERNAL'],
  ['up \u001b[31m', "'\\u{1b}[31m' is one word too many", 'this command takes no words'],
]
test.each(bad)('wheelwright %s is refused on three lines', async (line, what, why) => {
  const { io, texts } = createFakeIo()
  expect(await main(words(line), io)).toBe(EXIT.usage)
  const lines = texts.err.split('\n')
  expect(lines).toHaveLength(4)
  expect(lines[0]).toBe(`wheelwright: ${what} (USAGE)`)
  expect(lines[1]).toContain(why)
  expect(lines[2]).toMatch(/^remedy: run '/)
  expect(texts.out).toBe('')
})

test.each(bad)('wheelwright --json %s is refused in one line of JSON', async (line, what) => {
  const { io, texts } = createFakeIo()
  expect(await main(['--json', ...words(line)], io)).toBe(EXIT.usage)
  expect(texts.out).toMatch(/^[^\n]+\n$/)
  expect(texts.err).toBe('')
  const { error } = JSON.parse(texts.out)
  expect(error.code).toBe('USAGE')
  expect([error.what, error.why, error.remedy].every((text) => text.length > 0)).toBe(true)
  if (!line.includes('\u001b')) expect(error.what).toBe(what)
})

const rootWith = (run: CommandModule<Flags>['run']): Group => {
  const examples: Command['examples'] = [{ line: 'wheelwright do', shows: 'it' }]
  const command: Command = { name: 'do', summary: 'do it', flags: {}, examples, load: async () => ({ run }) }
  return { name: 'wheelwright', summary: 'one command', commands: [command], examples }
}

test('a command that throws what it knows ends with the exit code of that', async () => {
  const { io, texts } = createFakeIo()
  const fail = async () => {
    throw new NodeError('SETUP_FAILED', { what: 'no disk', why: 'it is\nfull', remedy: 'buy one', data: { bytes: 0 } })
  }
  expect(await main(['do'], io, rootWith(fail))).toBe(EXIT.environment)
  expect(texts.err).toBe('wheelwright: no disk (SETUP_FAILED)\nwhy:    it is\\u{a}full\nremedy: buy one\n')
  expect(await main(['do', '--json'], io, rootWith(fail))).toBe(EXIT.environment)
  expect(JSON.parse(texts.out)).toMatchObject({ error: { code: 'SETUP_FAILED', data: { bytes: 0 } } })
})

test('a command that breaks is a bug, and shows where', async () => {
  const { io, texts } = createFakeIo()
  expect(
    await main(
      ['do'],
      io,
      rootWith(() => Promise.reject(new TypeError('x of undefined'))),
    ),
  ).toBe(EXIT.internal)
  expect(texts.err).toMatch(/^wheelwright: this is a bug \(INTERNAL\)\nwhy: {4}x of undefined\nremedy: .*\n.*TypeError/)
  expect(
    await main(
      ['do'],
      io,
      rootWith(() => Promise.reject('not even an error')),
    ),
  ).toBe(EXIT.internal)
})

test('a command that was told to stop is complete when it returns, interrupted when it throws', async () => {
  const { io, texts, stop } = createFakeIo()
  stop.abort()
  expect(
    await main(
      ['do'],
      io,
      rootWith(async () => undefined),
    ),
  ).toBe(EXIT.ok)
  const throwIfAborted = async () => io.signal.throwIfAborted()
  expect(await main(['do', '--json'], io, rootWith(throwIfAborted))).toBe(EXIT.interrupted)
  expect(JSON.parse(texts.out).error.code).toBe('INTERRUPTED')
  expect(
    await main(
      ['do'],
      io,
      rootWith(() => Promise.reject(new TypeError('in the clean-up'))),
    ),
  ).toBe(EXIT.internal)
})

test('a terminal gets colour, unless it asks for none', async () => {
  const helpOn = async (isTTY: boolean, env: Record<string, string>) => {
    const { io, texts } = createFakeIo({ isTTY, env })
    await main(['--help'], io)
    return texts.out.includes('\u001b[')
  }
  expect(await helpOn(true, {})).toBe(true)
  expect(await helpOn(true, { NO_COLOR: '' })).toBe(true)
  expect(await helpOn(true, { NO_COLOR: '1' })).toBe(false)
  expect(await helpOn(true, { TERM: 'dumb' })).toBe(false)
  expect(await helpOn(false, {})).toBe(false)
})

const words = (line: string) => line.split(' ').filter((word) => word !== '')
