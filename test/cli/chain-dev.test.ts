import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { createFakeIo } from './fake-io.ts'

/** Runs the chain until it has printed a line that fits. */
async function runUntil(fits: (line: string) => boolean, ...flags: readonly string[]): Promise<readonly string[]> {
  const { io, stop } = createFakeIo()
  const lines: string[] = []
  const listening = {
    ...io,
    stdout: {
      write: (text: string) => {
        lines.push(text)
        if (fits(text)) stop.abort()
      },
    },
  }
  await main(['chain', '--port', '0', '--block-ms', '250', '--json', ...flags], listening)
  return lines
}

test('a fault that does not exist is answered with all that do, before anything runs', async () => {
  const { io, texts } = createFakeIo()
  expect(await main(['chain', '--port', '0', '--fault', 'drop,flood'], io)).toBe(2)
  expect(texts.out).toBe('')
  expect(texts.err).toMatch(/does not know 'flood'[\s\S]*drop, silent, swallow/)
})

test('a chain in a directory goes on where it was stopped, and tells each fault', { timeout: 30_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'wheelwright-chain-'))
  const first = await runUntil((line) => line.includes('fault'), '--dir', dir, '--fault', 'drop')
  expect(JSON.parse(first[0] ?? '').block).toBe(0)
  const told = JSON.parse(first[1] ?? '')
  expect(told.fault).toEqual({ kind: 'drop' })
  const second = await runUntil(() => true, '--dir', dir)
  expect(JSON.parse(second[0] ?? '').block).toBeGreaterThanOrEqual(told.block)
})
