import { expect, test } from 'vitest'
import { bytesText, createProgress, durationText, progressLine } from '../../src/cli/progress.ts'
import { createFakeIo } from './fake-io.ts'

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.00 KiB'],
  [300_000_000, '286 MiB'],
  [7.5 * 1024 ** 3, '7.50 GiB'],
  [5_000 * 1024 ** 4, '5000 TiB'],
])('%i bytes are %s', (bytes, text) => expect(bytesText(bytes)).toBe(text))

test.each([
  [0, '0:00'],
  [0.2, '0:01'],
  [75, '1:15'],
  [3_725, '1:02:05'],
])('%d seconds are %s', (seconds, text) => expect(durationText(seconds)).toBe(text))

test('a line says how far, how fast, from how many and how much longer', () => {
  const MIB = 1024 ** 2
  const line = progressLine('fetching', { doneBytes: 25 * MIB, totalBytes: 100 * MIB, sources: 2 }, 5 * MIB)
  expect(line).toBe('fetching ████░░░░░░░░░░░░  25 %  25.0 MiB of 100 MiB  5.00 MiB/s  2 sources  0:15 left')
  expect(progressLine('fetching', { doneBytes: MIB, totalBytes: 0, sources: 1 }, 0)).toBe(
    'fetching ░░░░░░░░░░░░░░░░  0 %  1.00 MiB  1 source',
  )
})

/** A terminal, and a clock that is set by hand. */
function createStage(isTTY: boolean, env = {}) {
  const time = { ms: 0 }
  const { io, texts } = createFakeIo({ isTTY, env })
  const progress = createProgress('storing', io, { now: () => time.ms, setTimeout, clearTimeout })
  return { time, texts, progress }
}

test('a terminal gets one line, written over again ten times a second at most', () => {
  const { time, texts, progress } = createStage(true)
  for (; time.ms <= 1_000; time.ms += 10) progress.update({ doneBytes: time.ms, totalBytes: 2_000 })
  const drawn = texts.err.split('\r\u001b[2K').slice(1)
  expect(drawn.length).toBe(11)
  expect(drawn.at(-1)).toContain('50 %')
  expect(drawn.at(-1)).toContain('1000 B/s')
  expect(texts.err).not.toContain('\n')
  expect(Math.max(...drawn.map((line) => line.length))).toBeLessThan(80)
  progress.end()
  expect(texts.err.endsWith('\r\u001b[2K')).toBe(true)
})

test('what was here at the beginning is not counted as speed', () => {
  const { time, texts, progress } = createStage(true)
  progress.update({ doneBytes: 1_000_000, totalBytes: 2_000_000 })
  time.ms = 1_000
  progress.update({ doneBytes: 1_000_500, totalBytes: 2_000_000 })
  expect(texts.err).toContain('  500 B/s')
})

test.each([
  [false, {}],
  [true, { TERM: 'dumb' }],
])('nobody else gets anything', (isTTY, env) => {
  const { texts, progress } = createStage(isTTY, env)
  progress.update({ doneBytes: 1, totalBytes: 2 })
  progress.end()
  expect(texts.err).toBe('')
})
