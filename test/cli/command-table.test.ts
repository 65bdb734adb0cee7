import { expect, test } from 'vitest'
import { type Command, type Group, isGroup } from '../../src/cli/command.ts'
import { ROOT } from '../../src/cli/command-table.ts'
import { main } from '../../src/cli/main.ts'
import { findTarget, parseFor } from '../../src/cli/parse.ts'
import { createFakeIo } from './fake-io.ts'

type Entry = [path: string, entry: Command | Group]
const entriesOf = (entry: Command | Group, path: string): Entry[] => [
  [path, entry],
  ...(isGroup(entry) ? entry.commands.flatMap((each) => entriesOf(each, `${path} ${each.name}`)) : []),
]
const entries = entriesOf(ROOT, 'wheelwright')
const commands = entries.filter((each): each is [string, Command] => !isGroup(each[1]))

test.each(entries)('%s helps, with examples', async (path, entry) => {
  const { io, texts } = createFakeIo()
  expect(await main([...path.split(' ').slice(1), '--help'], io)).toBe(0)
  expect(texts.out).toContain(`usage: ${path}`)
  for (const { line, shows } of entry.examples) {
    expect(texts.out).toContain(line)
    expect(texts.out).toContain(shows)
  }
  expect(entry.summary).toMatch(/^[a-z].*[^.]$/)
})

test.each(entries)('the examples of %s are lines that we understand', (_, entry) => {
  for (const { line } of entry.examples) {
    expect(line).toMatch(/^wheelwright /)
    const target = findTarget(ROOT, line.split(' ').slice(1))
    if (!isGroup(target.entry) && !line.endsWith('--help')) parseFor(target.entry, target.path, target.rest)
  }
})

test.each(commands)(
  '%s has flags in kebab-case, with defaults in their range, and a file that runs',
  async (_, command) => {
    for (const [name, flag] of Object.entries(command.flags)) {
      expect(name).toMatch(/^[a-z][a-z0-9-]*$/)
      if (flag.type !== 'integer') continue
      expect(Number.isSafeInteger(flag.min) && Number.isSafeInteger(flag.max)).toBe(true)
      if (flag.default !== undefined) expect(flag.default >= flag.min && flag.default <= flag.max).toBe(true)
    }
    expect((await command.load()).run).toBeTypeOf('function')
  },
)
