import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  clockFinding,
  deviceFinding,
  diskFinding,
  nodeFinding,
  portFinding,
  walletFinding,
} from '../../src/cli/doctor-check.ts'
import { main } from '../../src/cli/main.ts'
import { EXIT } from '../../src/errors.ts'
import { createFakeIo } from './fake-io.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'doctor-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const run = async (...words: readonly string[]) => {
  const { io, texts } = createFakeIo()
  const exit = await main(['doctor', '--dir', join(root, 'store'), '--wallet-dir', join(root, 'wallets'), ...words], io)
  return { exit, ...texts }
}

async function occupy(): Promise<{ readonly server: Server; readonly address: string }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const place = server.address()
  return { server, address: `/ip4/127.0.0.1/tcp/${typeof place === 'object' ? place?.port : 0}` }
}

test('a machine that has everything is told so, and nothing is made on it', { timeout: 60_000 }, async () => {
  const { exit, out } = await run('--listen', '/ip4/127.0.0.1/tcp/0', '--json')
  const findings = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(exit).toBe(EXIT.ok)
  expect(findings.map(({ check, ok }) => [check, ok])).toEqual([
    ['node', true],
    ['disk', true],
    ['port', true],
    ['wallets', true],
    ['device', true],
    ['device', true],
    ['device', true],
  ])
})

test('a device that is not there is no problem, and comes with the way to get it', () => {
  const absent = { works: false, why: 'no driver', remedy: 'Get one.' } as const
  expect(deviceFinding({ device: 'cuda', ...absent })).toEqual({
    check: 'device',
    what: 'cuda does not work: no driver',
    hint: 'Get one.',
  })
  expect(deviceFinding({ device: 'cpu', ...absent }).remedy).toBe('Get one.')
  const working = { works: true, agreement: { loss: 1e-7, gradients: 6e-7 }, ms: 4_321 } as const
  expect(deviceFinding({ device: 'webgpu', ...working }).what).toBe(
    "webgpu works: 4300 ms for 4.3 GFLOP, loss and gradients within 6e-7 of the CPU's",
  )
})

test('what is wrong comes with its remedy, and the exit code says so', { timeout: 60_000 }, async () => {
  const { server, address } = await occupy()
  const { exit, out, err } = await run('--listen', address)
  server.close()
  expect(exit).toBe(EXIT.environment)
  expect(out).toMatch(/^problem {2}port .*EADDRINUSE.* → End what listens there/m)
  expect(err).toContain('(MACHINE_UNFIT)')
})

test.each([
  ['22.18.9', false],
  ['22.19.0', true],
  ['24.0.0', true],
  ['20.20.2', false],
])('Node %s is enough: %s', (version, isEnough) => {
  expect(nodeFinding(version).remedy === undefined).toBe(isEnough)
})

test('a directory that is a file, and an address that is none', async () => {
  writeFileSync(join(root, 'file'), '')
  expect((await diskFinding(join(root, 'file'))).remedy).toBe('Name another --dir.')
  expect((await diskFinding(join(root, 'file', 'below'))).remedy).toMatch(/chown/)
  expect((await portFinding('nonsense')).remedy).toMatch(/--listen/)
  expect((await portFinding('/dns4/example.org/tcp/1')).what).toMatch(/names no IP address/)
})

test('a secret that others may read is found', async () => {
  mkdirSync(join(root, 'mine', 'hotkeys'), { recursive: true })
  const path = join(root, 'mine', 'hotkeys', 'first')
  writeFileSync(path, '{}')
  chmodSync(path, 0o644)
  const found = await walletFinding(root)
  expect(found).toHaveLength(1)
  expect(found[0]?.what).toContain('mine')
  expect(found[0]?.remedy).toMatch(/chmod/)
})

test.each([
  [500, true],
  [-11_000, true],
  [-13_000, false],
  [35_000, true],
  [37_000, false],
  [Number.NaN, true],
])('a clock that is %i ms ahead of the newest block of 12 s is right: %s', (offMs, isRight) => {
  expect(clockFinding(offMs, 12_000).remedy === undefined).toBe(isRight)
})
