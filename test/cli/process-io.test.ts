import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { EXIT } from '../../src/errors.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const urlOf = (path: string) => pathToFileURL(join(ROOT, path)).href

/** A program of one command, whose body is `code`, behind the real process. */
const startCommand = (code: string) => {
  const script = `
    import { start } from '${urlOf('src/cli/main.ts')}'
    const examples = [{ line: 'wheelwright do', shows: 'it' }]
    const run = async (flags, io) => { const forever = setInterval(() => {}, 1e6); ${code} }
    const command = { name: 'do', summary: 'do it', flags: {}, examples, load: async () => ({ run }) }
    await start({ name: 'wheelwright', summary: 'one command', commands: [command], examples })`
  const flags = ['--import', urlOf('bin/quiet.js'), '--input-type=module', '-e', script]
  const child = spawn(process.execPath, [...flags, 'x', 'do'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const texts = { out: '', err: '' }
  child.stdout.on('data', (bytes: Buffer) => {
    texts.out += bytes.toString()
  })
  child.stderr.on('data', (bytes: Buffer) => {
    texts.err += bytes.toString()
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const ready = new Promise((resolve) => child.stdout.once('data', resolve))
  return { child, texts, ended, ready }
}
const UNTIL_TOLD = `const told = new Promise((resolve) => io.signal.addEventListener('abort', resolve))
  io.stdout.write('ready '); await told;`

test('Ctrl-C tells the command, and its echo is not a second one', async () => {
  const { child, texts, ended, ready } = startCommand(`${UNTIL_TOLD} clearInterval(forever); io.stdout.write('bye')`)
  await ready
  child.kill('SIGINT')
  child.kill('SIGINT')
  expect(await ended).toBe(EXIT.ok)
  expect(texts).toEqual({ out: 'ready bye', err: '' })
})

test('a second Ctrl-C ends a command that does not listen', async () => {
  const { child, ended, ready } = startCommand(`${UNTIL_TOLD} io.stdout.write('deaf'); await new Promise(() => {})`)
  await ready
  child.kill('SIGINT')
  const again = setInterval(() => child.kill('SIGINT'), 50)
  expect(await ended).toBe(EXIT.interrupted)
  clearInterval(again)
})

test('a reader that has seen enough ends us quietly', async () => {
  const { child, texts, ended, ready } = startCommand("setInterval(() => io.stdout.write('line '.repeat(1000)), 1)")
  await ready
  child.stdout.destroy()
  expect(await ended).toBe(EXIT.ok)
  expect(texts.err).toBe('')
})

test('an error that nobody awaited is a bug', async () => {
  const { texts, ended } = startCommand("setTimeout(() => { throw new Error('astray') }); await new Promise(() => {})")
  expect(await ended).toBe(EXIT.internal)
  expect(texts.err).toMatch(/^wheelwright: this is a bug \(INTERNAL\)\nwhy: {4}astray\n/)
})
