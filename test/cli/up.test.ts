import { describe, expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { EXIT } from '../../src/errors.ts'
import { type NodeEvent, ROGUES } from '../../src/event.ts'
import { PHASES } from '../../src/protocol/clock.ts'
import { fromSs58 } from '../../src/protocol/hotkey.ts'
import { REASONS } from '../../src/protocol/reason.ts'
import { createFakeIo } from './fake-io.ts'

async function up(line: string, options: Parameters<typeof createFakeIo>[0] = {}) {
  const { io, texts, stop } = createFakeIo(options)
  const exit = await main(['up', ...line.split(' ')], io)
  return { exit, texts, stop }
}
const eventsOf = (out: string): readonly NodeEvent[] =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as NodeEvent)

/** The fields that programs rely on, in every event of a type. */
const FIELDS = {
  'node.started': ['name', 'role', 'hotkey', 'uid', 'rogue'],
  'phase.entered': ['cycle', 'phase'],
  'submission.judged': ['cycle', 'validator', 'hotkey', 'group', 'accepted', 'reason', 'gain', 'marginal'],
  'cycle.settled': ['cycle', 'validator', 'certified', 'certificate', 'root', 'loss'],
  'weights.landed': ['cycle', 'validator', 'block', 'weights'],
  'step.failed': ['cycle', 'step', 'code', 'what'],
  summary: ['cycles'],
} as const satisfies { [T in NodeEvent['type']]: readonly string[] }

describe('wheelwright up --json', () => {
  test('a line of JSON for every event, each with its fields, and the summary last', async () => {
    const { exit, texts } = await up('--cycles 1 --seed 1 --json')
    expect(exit).toBe(EXIT.ok)
    expect(texts.err).toBe('')
    const events = eventsOf(texts.out)
    for (const event of events) {
      expect(Object.keys(event).toSorted()).toEqual(['type', 'at', 'node', ...FIELDS[event.type]].toSorted())
      expect(Number.isInteger(event.at)).toBe(true)
      expect(fromSs58(event.node)).not.toBe(null)
      if ('cycle' in event) expect(event.cycle).toBe(0)
    }
    expect(events.map(({ at }) => at)).toEqual(events.map(({ at }) => at).toSorted((a, b) => a - b))
    expect(events.filter(({ type }) => type === 'summary')).toHaveLength(1)
    expect(events.at(-1)?.type).toBe('summary')
    expect(new Set(events.map(({ type }) => type))).toEqual(
      new Set(Object.keys(FIELDS).filter((type) => type !== 'step.failed')),
    )
    checkValues(events)
    checkSummary(events)
  }, 20_000)

  test('the same seed tells the same story, byte for byte', async () => {
    const [first, again, other] = [
      await up('--cycles 1 --rogues none --json --seed 5'),
      await up('--cycles 1 --rogues none --json --seed 5'),
      await up('--cycles 1 --rogues none --json --seed 6'),
    ]
    expect(again.texts.out).toBe(first.texts.out)
    expect(other.texts.out).not.toBe(first.texts.out)
  }, 20_000)
})

function checkValues(events: readonly NodeEvent[]): void {
  const rogues = new Set<string>()
  for (const event of events) {
    if (event.type === 'node.started') {
      expect(['validator', 'miner']).toContain(event.role)
      expect([event.hotkey, event.at]).toEqual([event.node, 0])
      if (event.rogue !== null) rogues.add(event.rogue)
    }
    if (event.type === 'phase.entered') expect(PHASES).toContain(event.phase)
    if (event.type === 'submission.judged') {
      expect(event.accepted).toBe(event.reason === null)
      if (event.reason !== null) expect(REASONS).toContain(event.reason)
      expect(Number.isSafeInteger(event.gain) && Number.isSafeInteger(event.marginal)).toBe(true)
    }
    if (event.type === 'cycle.settled') {
      expect(event.certificate.stake).toBeGreaterThan(0)
      expect(event.certificate.stake).toBeLessThanOrEqual(1)
      expect(Object.keys(event.loss)).toEqual(['english', 'python'])
    }
    if (event.type === 'weights.landed') {
      for (const [uid, weight] of event.weights) expect(uid >= 0 && weight >= 0 && weight <= 65_535).toBe(true)
    }
  }
  expect(rogues).toEqual(new Set(ROGUES))
}

function checkSummary(events: readonly NodeEvent[]): void {
  const summary = events.at(-1)
  if (summary?.type !== 'summary') throw new Error('the summary is last')
  const settled = events.find((event) => event.type === 'cycle.settled' && event.validator === summary.node)
  if (settled?.type !== 'cycle.settled') throw new Error('the witness has settled')
  expect(summary.cycles).toHaveLength(1)
  const { rewards, ...rest } = summary.cycles[0] as (typeof summary.cycles)[number]
  expect(rest).toEqual({ cycle: 0, certified: true, root: settled.root, loss: settled.loss })
  const miners = new Set(events.flatMap((e) => (e.type === 'node.started' && e.role === 'miner' ? [e.hotkey] : [])))
  expect(Object.keys(rewards).length).toBeGreaterThan(0)
  for (const [hotkey, reward] of Object.entries(rewards)) {
    expect(miners.has(hotkey)).toBe(true)
    expect(reward > 0 && reward <= 1).toBe(true)
  }
}

describe('wheelwright up for people', () => {
  test('the phases as they come and a table per cycle', async () => {
    const { exit, texts } = await up('--cycles 1 --seed 1 --rogues noise,hub')
    expect(exit).toBe(EXIT.ok)
    expect(texts.out).toMatch(/^a network of 4 validators and 8 miners in this process\n/)
    for (const phase of PHASES) expect(texts.out).toMatch(new RegExp(`cycle 0 +block \\d+ +${phase}\n`))
    expect(texts.out).toMatch(/cycle 0: certified by 100\.0 % of the stake, held by 4 validators/)
    expect(texts.out).toMatch(/rogue-noise +english .* LOSS_NOT_LOWER\n/)
    expect(texts.out).toMatch(/rogue-hub +python .* TENSOR_FOREIGN\n/)
    expect(texts.out).toMatch(/weights on chain, read back by 4 validators: (\d+:\d+ ?)+\n/)
    expect(texts.out).not.toContain('\u001b')
    expect(texts.out.split('\n').every((line) => line === line.trimEnd())).toBe(true)
  }, 20_000)

  test('a rogue that does not exist is a word that makes no sense', async () => {
    const { exit, texts } = await up('--cycles 1 --rogues noise,mole')
    expect(exit).toBe(EXIT.usage)
    expect(texts.err).toMatch(/there is no rogue.*\(USAGE\)/)
    expect(texts.err).toContain(ROGUES.join(', '))
    expect(texts.out).toBe('')
  })

  test.each([
    ['--block-ms 249', "--block-ms cannot be '249'", '250 to 12000 ms'],
    ['--block-ms 12001', "--block-ms cannot be '12001'", '250 to 12000 ms'],
    ['--seed 1 --port 9944', '--port is for a real chain', 'the chain is in memory'],
  ])('%s is refused before anything is started', async (line, what, why) => {
    const { exit, texts } = await up(line)
    expect(exit).toBe(EXIT.usage)
    expect(texts.err).toContain(what)
    expect(texts.err).toContain(why)
    expect(texts.out).toBe('')
  })

  test('it runs until it is told to stop, and that is no failure', async () => {
    const { io, texts, stop } = createFakeIo()
    const running = main(['up', '--seed', '1', '--rogues', 'none', '--block-ms', '60000'], io)
    for (let i = 0; i < 500 && !texts.out.includes('a network of'); i++) await new Promise(setImmediate)
    stop.abort()
    expect(await running).toBe(EXIT.ok)
  })
})
