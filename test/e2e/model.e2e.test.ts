/** The commands of `wheelwright model` as real processes, one after the other, as somebody uses them. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createChance, makeText } from '../../src/gpu/data/corpus.ts'

const DOOR = fileURLToPath(new URL('../../bin/wheelwright.js', import.meta.url))

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'model-e2e-'))
  mkdirSync(join(root, 'text'))
  for (const domain of ['english', 'python'] as const) {
    writeFileSync(join(root, `text/${domain}.txt`), makeText(domain, { chance: createChance(7), share: 'all' }, 8_000))
  }
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

function start(...words: readonly string[]) {
  const child = spawn(process.execPath, [DOOR, 'model', ...words], { cwd: root })
  let [out, err] = ['', '']
  child.stdout.on('data', (text) => {
    out += text
  })
  child.stderr.on('data', (text) => {
    err += text
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return { child, ended, out: () => out, err: () => err }
}

/** The last line of standard output is the result. */
async function run(...words: readonly string[]) {
  const { ended, out, err } = start(...words, '--json')
  const exit = await ended
  expect(exit, err()).toBe(0)
  return JSON.parse(out().trim().split('\n').at(-1) ?? '')
}

test('from nothing to a model that has learned, by commands alone', async () => {
  const made = await run('new', '--preset', 'byte', '--seed', '3', '--out', 'base')
  const seen = await run('inspect', 'base')
  expect([seen.family, seen.parameters.all, seen.tokenizer]).toEqual(['qwen3_moe', made.parameters, true])

  const domains = ['english=text/english.txt', 'python=text/python.txt']
  const chosen = await run(
    'select',
    'base',
    ...domains,
    '--experts',
    '2',
    '--sequence',
    '65',
    '--groups',
    'groups.json',
  )
  expect(JSON.parse(readFileSync(join(root, 'groups.json'), 'utf8')).groups).toEqual(chosen.groups)

  for (const [out, experts] of [
    ['a', '0,1'],
    ['b', '1,2'],
  ] as const) {
    const data = ['--data', 'text/python.txt', '--sequence', '65']
    await run('train', 'base', '--experts', experts, ...data, '--steps', '4', '--lr', '0.01', '--out', out)
  }
  const text = ['--data', 'text/english.txt', '--sequence', '65', '--steps', '2']
  const grouped = await run('train', 'base', '--group', 'groups.json:english', ...text, '--out', 'c')
  expect(grouped.tensors).toBe(chosen.groups[0].tensors.length)

  const merged = await run('merge', 'base', 'a', 'b/delta.safetensors:2', '--eta', '0.5', '--out', 'merged')
  // Three experts of each layer, three matrices each.
  expect([merged.tensors, merged.overflowed]).toEqual([3 * seen.layers * 3, []])

  const exported = await run('export', 'base', '--delta', 'merged', '--out', 'better')
  expect(exported.rewritten).toEqual(['model.safetensors'])
  expect(readdirSync(join(root, 'better')).toSorted()).toEqual(readdirSync(join(root, 'base')).toSorted())
  const loss = (model: string) => run('loss', model, '--text', 'text/python.txt', '--sequence', '65')
  expect((await loss('better')).loss).toBeLessThan((await loss('base')).loss)
})

test('what people read says the same', async () => {
  const { ended, out } = start('inspect', 'better')
  expect(await ended).toBe(0)
  expect(out()).toMatch(/qwen3_moe, \d+ layers of width \d+, 256 tokens/)
  expect(out()).toMatch(/1\.0\d M in all/)
})

test('what is wrong is said on the last line, with its code', async () => {
  const { ended, out } = start('merge', 'base', 'nowhere', '--out', 'c', '--json')
  expect(await ended).toBe(3)
  expect(JSON.parse(out().trim().split('\n').at(-1) ?? '').error).toMatchObject({
    code: 'FILE_UNREADABLE',
    what: 'cannot read nowhere',
  })
})

test('Ctrl-C ends a command, and leaves no model behind', async () => {
  const config = JSON.parse(readFileSync(join(root, 'base/config.json'), 'utf8'))
  writeFileSync(
    join(root, 'large.json'),
    JSON.stringify({ ...config, hidden_size: 1_024, moe_intermediate_size: 4_096 }),
  )
  const { child, ended } = start('new', '--config', 'large.json', '--out', 'large', '--json')
  while (!readdirSync(root).includes('large.part')) await new Promise((resolve) => setTimeout(resolve, 20))
  child.kill('SIGINT')
  expect(await ended).toBe(130)
  expect(readdirSync(root)).not.toContain('large')
})
