import { expect, test } from 'vitest'
import { SimulatedClock } from 'xstate'
import { createAcquaintances } from '../../src/p2p/acquaintances.ts'
import type { Clock } from '../../src/ports.ts'
import { toHex } from '../../src/util/bytes.ts'
import { never } from '../contracts/harness.ts'
import { BLOCK, cardBytes, createDirectory, keyOf, SILENT } from './member-stage.ts'

const alice = keyOf(1)
const HOUR_MS = 60 * 60_000

async function stage(members: readonly string[] = [alice.hotkey]) {
  const census = { block: () => BLOCK, registered: () => new Set(members) }
  const { directory } = await createDirectory(census)
  const clock: SimulatedClock & Clock = new SimulatedClock()
  const [asked, stored]: [string[], string[]] = [[], []]
  const table = {
    find: async (hotkey: string) => {
      asked.push(hotkey)
      return null
    },
    put: async (hotkey: string) => void stored.push(hotkey),
  }
  const own = { bytes: () => cardBytes(alice), said: () => true }
  const acquaintances = createAcquaintances({ directory, table, census, hotkey: alice.hotkey, own, clock, log: SILENT })
  return { acquaintances, clock, asked, stored }
}

test('in a full subnet of which nobody was heard, everybody is searched for in turn', async () => {
  const members = Array.from({ length: 256 }, (_, i) => toHex(new Uint8Array(32).fill(i)))
  const { acquaintances, clock, asked } = await stage(members)
  for (let look = 0; look < 256; look++) {
    await acquaintances.search({ signal: never })
    clock.increment(7_000)
  }
  expect(asked).toHaveLength(512)
  const times = members.map((hotkey) => asked.filter((each) => each === hotkey).length)
  expect([Math.min(...times), Math.max(...times)]).toEqual([2, 2])
})

test('a card that this node says is stored a while later, and never after the end', async () => {
  const { acquaintances, clock, stored } = await stage()
  acquaintances.heard('card', cardBytes(alice))
  expect(stored).toEqual([])
  clock.increment(HOUR_MS)
  expect(stored).toEqual([alice.hotkey])
  acquaintances.heard('card', cardBytes(alice, { sequence: 2 }))
  acquaintances.close()
  acquaintances.heard('card', cardBytes(alice, { sequence: 3 }))
  clock.increment(HOUR_MS)
  expect(stored).toEqual([alice.hotkey])
})
