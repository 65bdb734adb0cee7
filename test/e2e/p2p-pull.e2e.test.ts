/** The bulk path between real processes, some of which are killed. */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PIECE_BYTES, WORKERS_PER_SOURCE } from '../../src/p2p/pull/limits.ts'
import { MIB } from '../p2p/pull/stage.ts'
import type { Order, Report } from './p2p-pull-worker.ts'

const REPORT_MS_MAX = 60_000
let folder: string
let workers: ChildProcess[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wheelwright-pull-'))
  workers = []
})
afterEach(async () => {
  for (const worker of workers) worker.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

/** The first report for which the condition holds; any failure ends the wait. */
function tell(order: Order, isWanted: (report: Report) => boolean) {
  const worker = fork(new URL('./p2p-pull-worker.ts', import.meta.url), {
    execArgv: ['--import', new URL('../../bin/quiet.js', import.meta.url).href],
  })
  workers.push(worker)
  worker.send(order)
  return { worker, report: reportOf(worker, isWanted) }
}

const reportOf = (worker: ChildProcess, isWanted: (report: Report) => boolean): Promise<Report> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no report came')), REPORT_MS_MAX)
    worker.on('message', (report: Report) => {
      if (report.type === 'failed') reject(new Error(report.why))
      if (!isWanted(report)) return
      clearTimeout(timer)
      resolve(report)
    })
  })

const isKind = (type: Report['type']) => (report: Report) => report.type === type
const serve = async (mib: number, sendMsPerBlock = 0) => {
  const { worker, report } = tell({ op: 'serve', mib, sendMsPerBlock }, isKind('serving'))
  const { cid = '', address = { peerId: '', addresses: [] } } = await report
  return { worker, cid, address }
}

test('a server is killed in the middle, and the rest comes from another', async () => {
  const [first, second] = [await serve(64, 20), await serve(64, 20)]
  const order = { op: 'fetch', cid: first.cid, from: [first.address, second.address], folder } as const
  const { worker, report } = tell(order, ({ doneBytes = 0 }) => doneBytes > 16 * MIB)
  await report
  const fetched = reportOf(worker, isKind('fetched'))
  first.worker.kill('SIGKILL')
  const { receivedBytes = 0, misdeeds } = await fetched
  expect(await readdir(folder)).toHaveLength(65)
  expect(misdeeds).toEqual(['closed'])
  expect(receivedBytes).toBeLessThan(65 * MIB)
})

test('a client is killed with -9, and fetches only what it had not', async () => {
  const { cid, address } = await serve(64, 10)
  const order = { op: 'fetch', cid, from: [address], folder } as const
  const { worker, report } = tell(order, ({ doneBytes = 0 }) => doneBytes > 24 * MIB)
  await report
  worker.kill('SIGKILL')
  const here = (await readdir(folder)).filter((name) => !name.endsWith('.part')).length - 1
  expect(here).toBeGreaterThanOrEqual(24)
  const { receivedBytes = 0 } = await tell(order, isKind('fetched')).report
  expect((await readdir(folder)).filter((name) => !name.endsWith('.part'))).toHaveLength(65)
  expect(receivedBytes).toBe((64 - here) * MIB)
})

test('a client needs no more memory for four times the size', async () => {
  const peaks: number[] = []
  for (const mib of [256, 1_024]) {
    const { cid, address, worker } = await serve(mib)
    const { rssMib = 0, receivedBytes = 0 } = await tell(
      { op: 'fetch', cid, from: [address], folder: null },
      isKind('fetched'),
    ).report
    worker.kill('SIGKILL')
    expect(receivedBytes).toBeLessThan(1.02 * mib * MIB)
    peaks.push(rssMib)
  }
  const [small = 0, large = 0] = peaks
  expect(large).toBeLessThan(small + WORKERS_PER_SOURCE * (PIECE_BYTES / MIB) * 4)
})
