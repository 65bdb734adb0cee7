/** How long a stranger has, and what becomes of who leaves while it is asked. */
import type { Connection, Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { SimulatedClock } from 'xstate'
import { type Door, keepDoor } from '../../src/p2p/door.ts'
import { HELLO_MS, LEAVE_MS } from '../../src/p2p/limits.ts'
import { SILENT } from './member-stage.ts'

type Outcome = 'admitted' | 'gone' | 'refused'
type Asked = { readonly connection: Connection; readonly ms: number; readonly fail: (error: Error) => void }

function stage() {
  const clock = new SimulatedClock()
  const connections: (Connection & { status: string })[] = []
  const [outcomes, asked]: [Outcome[], Asked[]] = [[], []]
  const host = Object.assign(new EventTarget(), {
    getConnections: () => connections.filter(({ status }) => status === 'open'),
  }) as unknown as Libp2p
  const door: Door = keepDoor({
    host,
    admission: { admits: () => false, lets: () => true, stays: async () => false },
    knocks: { lets: () => true, over: (_, outcome) => outcomes.push(outcome) },
    hello: {
      ask: (connection, ms) => new Promise((_, fail) => asked.push({ connection, ms, fail })),
      close: async () => undefined,
    },
    clock,
    log: SILENT,
  })
  const connect = (): Connection & { status: string } => {
    const connection = {
      status: 'open',
      remotePeer: { toString: () => 'stranger' },
      remoteAddr: multiaddr('/ip4/203.0.114.7/tcp/4001'),
      abort: () => {
        connection.status = 'aborted'
      },
    } as unknown as Connection & { status: string }
    connections.push(connection)
    return connection
  }
  const leave = (connection: { status: string }, at = 0): void => {
    connection.status = 'closed'
    asked[at]?.fail(new Error('closed'))
  }
  return { clock, door, outcomes, asked, connect, leave }
}

test.each<[number, Outcome]>([
  [0, 'gone'],
  [LEAVE_MS - 1, 'gone'],
  [LEAVE_MS, 'refused'],
  [HELLO_MS - 500, 'refused'],
])('who leaves after %i ms is %s', async (ms, outcome) => {
  const { clock, door, outcomes, connect, leave } = stage()
  const connection = connect()
  const admitted = door.admit(connection)
  clock.increment(ms)
  leave(connection)
  expect(await admitted).toBe(false)
  expect(outcomes).toEqual([outcome])
})

test('who is asked again on another connection has what is left of its time', async () => {
  const { clock, door, outcomes, asked, connect, leave } = stage()
  const [first, second] = [connect(), connect()]
  const admitted = door.admit(first)
  clock.increment(HELLO_MS - 1_000)
  leave(first)
  await expect.poll(() => asked.map(({ ms }) => ms)).toEqual([HELLO_MS, 1_000])
  expect(asked[1]?.connection).toBe(second)
  asked[1]?.fail(new Error('too late'))
  expect(await admitted).toBe(false)
  expect([outcomes, second.status]).toEqual([['refused'], 'aborted'])
})

test('who has used up its time is not asked again', async () => {
  const { clock, door, outcomes, asked, connect, leave } = stage()
  const [first, second] = [connect(), connect()]
  const admitted = door.admit(first)
  clock.increment(HELLO_MS)
  leave(first)
  expect(await admitted).toBe(false)
  expect([asked.length, outcomes, second.status]).toEqual([1, ['refused'], 'aborted'])
})

test('who was sent away is not asked again by whoever comes to it late', async () => {
  const { door, outcomes, asked, connect, leave } = stage()
  const connection = connect()
  const admitted = door.admit(connection)
  leave(connection)
  await admitted
  expect(await door.admit(connection)).toBe(false)
  expect([asked.length, outcomes]).toEqual([1, ['gone']])
})
