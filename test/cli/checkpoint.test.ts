import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockDirectory } from '../../src/chain/lock.ts'
import { sourcesOf } from '../../src/cli/checkpoint-fetch.ts'
import { bytesOf } from '../../src/cli/checkpoint-open.ts'
import { main } from '../../src/cli/main.ts'
import { EXIT } from '../../src/errors.ts'
import { createFakeIo } from './fake-io.ts'

const MIB = 1024 ** 2
const ABSENT = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'checkpoint-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const path = (name: string): string => join(root, name)

async function run(...words: readonly string[]) {
  const { io, texts } = createFakeIo()
  const exit = await main(['checkpoint', ...words, '--dir', path('store')], io)
  return { exit, ...texts }
}

/** The last line, because an error comes after what was found. */
async function runJson(...words: readonly string[]) {
  const { exit, out } = await run(...words, '--json')
  const lines = out.trim().split('\n')
  return { exit, first: JSON.parse(lines[0] ?? ''), last: JSON.parse(lines.at(-1) ?? '') }
}

function makeFile(name: string, bytes: number): string {
  const content = Buffer.alloc(bytes)
  for (let i = 0; i < bytes; i += 1_000) content.writeUInt32LE(i, Math.min(i, bytes - 4))
  writeFileSync(path(name), content)
  return path(name)
}

/** Writes into a block where it lies, as a failing disk would. */
function damageOne(): void {
  const open = path('store/open')
  const files = readdirSync(open, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.data'))
  const file = files.map((name) => join(open, name)).find((name) => readFileSync(name).length === MIB) ?? ''
  const bytes = readFileSync(file)
  bytes[5] = (bytes[5] ?? 0) ^ 1
  writeFileSync(file, bytes)
}

test('a file goes in and comes out, with the hash that everybody knows', { timeout: 30_000 }, async () => {
  const file = makeFile('f.bin', 3 * MIB + 7)
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
  const { exit, last } = await runJson('add', file)
  expect(exit).toBe(EXIT.ok)
  expect(last).toEqual({ cid: expect.stringMatching(/^bafy/), bytes: 3 * MIB + 7, sha256 })
  const got = await runJson('get', last.cid, '--out', path('g.bin'))
  expect(got.last).toMatchObject({ receivedBytes: 0, bytes: 3 * MIB + 7, sha256, out: path('g.bin') })
  expect(readFileSync(path('g.bin'))).toEqual(readFileSync(file))
  expect(readdirSync(root).sort()).toEqual(['f.bin', 'g.bin', 'store'])
})

test('safetensors are judged before they are stored', async () => {
  writeFileSync(path('bad.safetensors'), Buffer.from('{"a":1}'))
  const { exit, err } = await run('add', path('bad.safetensors'))
  expect(exit).toBe(EXIT.input)
  expect(err).toContain('SAFETENSORS_INVALID')
})

test('pins keep, and gc frees the rest and nothing else', async () => {
  const kept = await runJson('add', makeFile('a', 2 * MIB), '--pin', 'base', '--cycle', '3')
  const { last: loose } = await runJson('add', makeFile('b', MIB + 5))
  const listed = await runJson('ls')
  expect(listed.last.pins).toEqual([
    { cid: kept.last.cid, name: 'base', cycle: 3, bytes: expect.any(Number), isWhole: true },
  ])
  const { last } = await runJson('gc')
  expect(last.freedBytes).toBeGreaterThan(0)
  expect(last.freedBytes + last.usedBytes).toBe(listed.last.usedBytes)
  expect(last.usedBytes).toBe(listed.last.pins[0].bytes)
  expect((await runJson('pin', loose.cid, '--name', 'late')).last.error.code).toBe('BLOB_UNAVAILABLE')
  expect((await runJson('pin', kept.last.cid, '--name', 'again')).exit).toBe(EXIT.ok)
  expect((await runJson('unpin', kept.last.cid, '--name', 'other')).last.error.code).toBe('USAGE')
  for (const name of ['base', 'again']) expect((await run('unpin', kept.last.cid, '--name', name)).exit).toBe(EXIT.ok)
  expect((await runJson('gc')).last.usedBytes).toBe(0)
})

test('a damaged block is named, removed, and told with the pin that suffers', async () => {
  const { last } = await runJson('add', makeFile('f', 3 * MIB), '--pin', 'base')
  expect((await runJson('verify')).last).toMatchObject({ damaged: [], missing: [], blocks: expect.any(Number) })
  damageOne()
  const found = await runJson('verify')
  expect(found.exit).toBe(EXIT.environment)
  expect(found.first.damaged).toHaveLength(1)
  expect(found.last.error).toMatchObject({ code: 'BLOB_DAMAGED', why: 'not whole any more: base' })
  const next = await runJson('verify')
  expect([next.exit, next.last.error.code]).toEqual([EXIT.unavailable, 'BLOB_UNAVAILABLE'])
  expect(next.first).toMatchObject({ damaged: [], broken: [{ cid: last.cid, name: 'base' }] })
  expect((await runJson('ls')).last.pins).toMatchObject([{ name: 'base', isWhole: false }])
  expect((await run('ls')).out).toContain(`${last.cid}  not whole\n`)
  const again = await runJson('verify', last.cid)
  expect(again.exit).toBe(EXIT.unavailable)
  expect(again.first.missing).toEqual(found.first.damaged)
  expect((await run('add', path('f'))).exit).toBe(EXIT.ok)
  expect((await run('verify', last.cid)).exit).toBe(EXIT.ok)
})

test('a file that cannot be read to its end never has its name, and the block is named', async () => {
  const { last } = await runJson('add', makeFile('f', 3 * MIB), '--pin', 'base')
  damageOne()
  const { out, err } = await run('get', last.cid, '--out', path('g'), '--json')
  const [told, failed] = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(told).toEqual({ damaged: expect.stringMatching(/^baf/), pins: ['base'] })
  expect(err).toContain(`block ${told.damaged} was damaged and is removed; pins that are not whole: base\n`)
  expect(failed.error.code).toBe('BLOB_UNAVAILABLE')
  expect(readdirSync(root).sort()).toEqual(['f', 'store'])
})

test('a CAR goes out and in, and one that lies is refused', async () => {
  const { last } = await runJson('add', makeFile('f', 2 * MIB + 1))
  expect((await runJson('export', last.cid, '--out', path('f.car'))).exit).toBe(EXIT.ok)
  rmSync(path('store'), { recursive: true })
  expect((await runJson('import', path('f.car'), '--pin', 'base')).last.roots).toEqual([last.cid])
  expect((await runJson('verify', last.cid)).exit).toBe(EXIT.ok)
  const bytes = readFileSync(path('f.car'))
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  writeFileSync(path('bad.car'), bytes)
  const refused = await runJson('import', path('bad.car'))
  expect([refused.exit, refused.last.error.code]).toEqual([EXIT.input, 'CAR_INVALID'])
})

test.each<[words: string[], code: string, exit: number]>([
  [['ls'], 'STORE_UNAVAILABLE', EXIT.environment],
  [['add', '/nowhere'], 'FILE_UNREADABLE', EXIT.input],
  [['add', '/tmp'], 'FILE_UNREADABLE', EXIT.input],
  [['import', '/nowhere'], 'FILE_UNREADABLE', EXIT.input],
  [['get', 'nonsense'], 'CID_INVALID', EXIT.usage],
  [['get', ABSENT], 'BLOB_UNAVAILABLE', EXIT.unavailable],
  [['get', ABSENT, '--from', 'nonsense'], 'ADDRESS_INVALID', EXIT.usage],
  [['get', ABSENT, '--from', '/ip4/127.0.0.1/tcp/1'], 'ADDRESS_INVALID', EXIT.usage],
  [['get', ABSENT, '--out', '/nowhere/f'], 'FILE_UNWRITABLE', EXIT.environment],
  [['get', ABSENT, '--out', '/tmp'], 'FILE_UNWRITABLE', EXIT.environment],
  [['get', ABSENT, '--quota', 'much'], 'USAGE', EXIT.usage],
  [['pin', ABSENT], 'USAGE', EXIT.usage],
  [['export', ABSENT], 'USAGE', EXIT.usage],
])('%j is refused with %s', async (words, code, exit) => {
  const { exit: found, out, err } = await run(...words)
  expect(err).toContain(`(${code})`)
  expect(err).toMatch(/\nremedy: [A-Z]/i)
  expect([found, out]).toEqual([exit, ''])
})

test('one process at a time has a store, and a full one says so', async () => {
  const unlock = await lockDirectory(path('store'))
  expect((await runJson('add', makeFile('f', MIB))).last.error.code).toBe('DATA_IN_USE')
  await unlock()
  expect((await runJson('add', path('f'), '--quota', '1KiB')).last.error.code).toBe('DISK_QUOTA')
  expect((await runJson('add', path('f'), '--quota', '2MiB')).exit).toBe(EXIT.ok)
})

test.each([
  ['1000', 1_000],
  ['10GiB', 10 * 1024 ** 3],
  ['3 mib', 3 * MIB],
])('a quota of %s is %i bytes', (text, bytes) => expect(bytesOf(text)).toBe(bytes))

test('a source behind a relay is the peer at the end of its address', () => {
  const [relay, peer] = [
    '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp',
    '12D3KooWCqGbMfbCLzQFUfJXsDHA2iCH31fsBNiGqYWvVDH498mi',
  ]
  const address = `/ip4/203.0.114.7/tcp/1/p2p/${relay}/p2p-circuit/p2p/${peer}`
  expect(sourcesOf(`${address},`)).toEqual([{ peerId: peer, addresses: [address] }])
})
