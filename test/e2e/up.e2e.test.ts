import { ApiPromise, WsProvider } from '@polkadot/api'
import { expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { EXIT } from '../../src/errors.ts'
import type { NodeEvent } from '../../src/event.ts'
import { fromSs58 } from '../../src/protocol/hotkey.ts'

type Landed = Extract<NodeEvent, { type: 'weights.landed' }>

/** What another program sees of the same chain, while it runs. */
async function readRow(address: string, netuid: number, uid: number): Promise<unknown> {
  const api = await ApiPromise.create({ provider: new WsProvider(address) as never, noInitWarn: true })
  try {
    const row = await api.query['subtensorModule']?.['weights']?.(netuid, uid)
    return row?.toJSON()
  } finally {
    await api.disconnect()
  }
}

test('a cycle over the development chain: certified, and every row of weights is what another client reads', async () => {
  const events: NodeEvent[] = []
  const rows: Promise<unknown>[] = []
  const landed: Landed[] = []
  let address = ''
  const write = (text: string): void => {
    const event = JSON.parse(text) as NodeEvent
    events.push(event)
    if (event.type === 'node.started' && event.address !== undefined) address = event.address
    if (event.type !== 'weights.landed') return
    const uid = events.flatMap((e) => (e.type === 'node.started' && e.hotkey === event.validator ? [e.uid] : []))[0]
    landed.push(event)
    rows.push(readRow(address, 1, uid ?? -1))
  }
  const { signal } = new AbortController()
  const io = { stdout: { write }, stderr: { write: () => undefined }, env: {}, signal }
  expect(await main(['up', '--cycles', '1', '--json'], io)).toBe(EXIT.ok)

  expect(await Promise.all(rows)).toEqual(landed.map(({ weights }) => weights))
  expect(landed).toHaveLength(5)
  expect(events.filter(({ type }) => type === 'step.failed')).toEqual([])
  const chain = events.find((event) => event.type === 'node.started' && event.role === 'chain')
  expect(chain).toMatchObject({ uid: 0, address: expect.stringMatching(/^ws:\/\/127\.0\.0\.1:\d+$/) })
  expect(fromSs58(chain?.node ?? '')).not.toBe(null)
  const summary = events.at(-1)
  expect(summary).toMatchObject({ type: 'summary', cycles: [{ cycle: 0, certified: true }] })
}, 240_000)
