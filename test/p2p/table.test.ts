import { expect, test } from 'vitest'
import { RECORDS_BURST } from '../../src/p2p/limits.ts'
import { createRates } from '../../src/p2p/rate.ts'
import { answering, NO_RECORDS, recordRules } from '../../src/p2p/table.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { cardBytes, createCensus, createDirectory, keyOf } from './member-stage.ts'

const [alice, bob] = [keyOf(1), keyOf(2)]
const keyName = ({ hotkey }: { readonly hotkey: string }): string => `/card/${hotkey}`

async function stage() {
  const { directory } = await createDirectory(createCensus(alice, bob))
  const { validators, selectors } = recordRules(
    directory.take,
    createRates({ burst: RECORDS_BURST, perSecond: 1 }, { now: () => 0 }),
  )
  const judge = async (key: string, value: Uint8Array): Promise<string> => {
    try {
      await validators['card']?.(utf8(key), value)
      return 'stored'
    } catch (error) {
      return String(error)
    }
  }
  const choose = (...records: readonly Uint8Array[]) => selectors['card']?.(utf8(keyName(alice)), [...records])
  return { directory, judge, choose }
}

test('a card is stored under its hotkey, again and again, and is known from then on', async () => {
  const { judge, directory } = await stage()
  expect(await judge(keyName(alice), cardBytes(alice))).toBe('stored')
  expect(await judge(keyName(alice), cardBytes(alice))).toBe('stored')
  expect(directory.peerOf(alice.hotkey)).not.toBe(null)
})

test('an older card is refused, wherever the newer one came from', async () => {
  const { judge, directory } = await stage()
  directory.take(cardBytes(alice, { sequence: 2 }))
  expect(await judge(keyName(alice), cardBytes(alice, { sequence: 1 }))).toContain('CARD_SUPERSEDED')
  expect(await judge(keyName(alice), cardBytes(alice, { sequence: 3 }))).toBe('stored')
  expect(await judge(keyName(alice), cardBytes(alice, { sequence: 2 }))).toContain('CARD_SUPERSEDED')
})

test.each<[string, string, Uint8Array]>([
  ["under another's hotkey", keyName(bob), cardBytes(alice)],
  ['under a key in another form', `${keyName(alice)}/`, cardBytes(alice)],
  ['under a key in capitals', keyName(alice).toUpperCase(), cardBytes(alice)],
  ['that is none', keyName(alice), utf8('a card')],
  ['of somebody unregistered', keyName(keyOf(3)), cardBytes(keyOf(3))],
])('a card %s is not stored', async (_, key, value) => {
  const { judge, directory } = await stage()
  expect(await judge(key, value)).not.toBe('stored')
  expect(directory.peers()).toEqual([])
})

test('a peer that puts too many is not listened to, whatever it puts; what is asked for is judged', async () => {
  const { judge } = await stage()
  const put = (peerId: string, value: Uint8Array) => answering(peerId, judge, keyName(alice), value)
  const forged = cardBytes({ ...bob, hotkey: alice.hotkey })
  for (let i = 0; i < RECORDS_BURST; i++) expect(await put('mallory', forged)).not.toContain('too many')
  expect(await put('mallory', forged)).toContain('too many records')
  expect(await put('mallory', cardBytes(alice))).toContain('too many records')
  expect(await put('bob', cardBytes(alice))).toBe('stored')
  expect(await judge(keyName(alice), cardBytes(alice))).toBe('stored')
})

test('of several answers the newest is chosen', async () => {
  const { choose } = await stage()
  const [first, second, third] = [1, 2, 3].map((sequence) => cardBytes(alice, { sequence })) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  expect(choose(second, third, first)).toBe(1)
  expect(choose(utf8('rubbish'), first)).toBe(1)
})

test('records of the library itself are stored nowhere', () => {
  for (const { validators } of [NO_RECORDS, recordRules(() => ({ kind: 'accept' }), { takes: () => true })]) {
    expect(() => validators['pk']?.(utf8('/pk/x'), utf8('x'))).toThrow('nothing of this kind')
  }
})
