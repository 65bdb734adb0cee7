/** A node that was told of nobody says nothing to anybody: not a packet, not a question for a name. */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { toHex } from '../../src/util/bytes.ts'
import { type Bench, countersOf, createBench, createInternet, type Machine, whyNoBench } from './nat-bench.ts'
import { NETWORK } from './p2p-stage.ts'

const QUIET_MS = 5_000
const DOOR = 'bin/wheelwright.js'
const SOMEBODY = '5.0.0.9'

describe.skipIf(whyNoBench('sysctl') !== null)('on a machine with a way out', () => {
  let bench: Bench
  let machine: Machine
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'wheelwright-silence-'))
    bench = createBench()
    machine = createInternet(bench).join('node', '5.0.0.1')
    machine.ip('route', 'add', 'default', 'via', SOMEBODY)
  })
  afterEach(() => {
    bench.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const sentPackets = (): number => countersOf(machine, 'out').tx.packets
  const run = (words: readonly string[], env = process.env): ChildProcess =>
    machine.node(words, { stdio: ['ignore', 'pipe', 'inherit'], env })
  const spoke = (child: ChildProcess): Promise<unknown> =>
    new Promise((resolve, reject) => {
      child.stdout?.once('data', resolve)
      child.once('exit', (code) => reject(new Error(`it ended with ${code}`)))
    })

  test.each([
    ['connects', `require('net').connect(80, '${SOMEBODY}').on('error', () => 0); setTimeout(process.exit, 500)`],
    ['asks for a name', `require('dns').lookup('example.org', () => 0); setTimeout(process.exit, 500)`],
  ])('whoever %s is heard, so that silence means something', async (_, script) => {
    const child = run(['-e', script])
    await new Promise((resolve) => child.once('exit', resolve))
    expect(sentPackets()).toBeGreaterThan(0)
  })

  test.each([
    ['checkpoint serve', [DOOR, 'checkpoint', 'serve', '--listen', '/ip4/0.0.0.0/tcp/4002', '--json', '--dir']],
    ['bootnode', [DOOR, 'bootnode', '--subnet', NETWORK, '--listen', '/ip4/0.0.0.0/tcp/4001', '--json', '--dir']],
  ])('%s is silent', async (_, words) => {
    await spoke(run([...words, join(folder, 'dir')]))
    await sleep(QUIET_MS)
    expect(sentPackets()).toBe(0)
  })

  test('bootstrap/ is silent', async () => {
    const key = join(folder, 'key')
    writeFileSync(key, toHex(crypto.getRandomValues(new Uint8Array(32))))
    await spoke(run(['bootstrap/main.ts'], { ...process.env, WHEELWRIGHT_NETWORK: NETWORK, WHEELWRIGHT_KEY_FILE: key }))
    await sleep(QUIET_MS)
    expect(sentPackets()).toBe(0)
  })
})
