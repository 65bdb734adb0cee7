import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { CARDS_HELD_MAX } from '../../src/p2p/limits.ts'
import { ACCEPT, ignore, type Verdict } from '../../src/protocol/verdict.ts'
import { toHex } from '../../src/util/bytes.ts'
import {
  BLOCK,
  CARD_BLOCKS,
  cardBytes,
  createCensus,
  createDirectory,
  keyOf,
  network,
  PUBLIC,
  peerOf,
  SILENT,
} from './member-stage.ts'

const [alice, bob, carol] = [keyOf(1), keyOf(2), keyOf(3)]

const dirs: string[] = []
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true })
})
const freshDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'wheelwright-'))
  dirs.push(dir)
  return dir
}

const codeOf = (verdict: Verdict): string => (verdict.kind === 'accept' ? 'accept' : verdict.code)

describe('what a card says', () => {
  test('whose peer it is, where a hotkey is, and whom to dial', async () => {
    const { directory } = await createDirectory(createCensus(alice, bob))
    expect(directory.take(cardBytes(alice))).toEqual(ACCEPT)
    expect(directory.take(cardBytes(alice))).toEqual(ignore('KNOWN'))
    const address = { peerId: peerOf(alice), addresses: [PUBLIC] }
    expect(directory.peerOf(alice.hotkey)).toEqual(address)
    expect(directory.hotkeyOf(peerOf(alice))).toBe(alice.hotkey)
    expect(directory.peers()).toEqual([address])
    expect([directory.peerOf(bob.hotkey), directory.hotkeyOf(peerOf(bob))]).toEqual([null, null])
  })

  test('counts as long as it is alive and its hotkey is registered', async () => {
    const census = createCensus(alice)
    const { directory } = await createDirectory(census)
    directory.take(cardBytes(alice))
    census.at = BLOCK + 100
    expect(directory.hotkeyOf(peerOf(alice))).toBe(alice.hotkey)
    census.at = BLOCK + 101
    expect(directory.hotkeyOf(peerOf(alice))).toBe(null)
    census.at = BLOCK
    census.members.clear()
    expect([directory.hotkeyOf(peerOf(alice)), directory.peerOf(alice.hotkey), directory.peers()]).toEqual([
      null,
      null,
      [],
    ])
    expect(codeOf(directory.take(cardBytes(alice)))).toBe('HOTKEY_UNREGISTERED')
  })

  test('a node that has moved is no longer the peer that it was', async () => {
    const { directory } = await createDirectory(createCensus(alice))
    directory.take(cardBytes(alice))
    directory.take(cardBytes(alice, { sequence: 2, peer: carol }))
    expect([directory.hotkeyOf(peerOf(alice)), directory.hotkeyOf(peerOf(carol))]).toEqual([null, alice.hotkey])
  })

  test('two hotkeys may have one peer, and it is known while either of them counts', async () => {
    const census = createCensus(alice, bob)
    const { directory } = await createDirectory(census)
    directory.take(cardBytes(alice))
    directory.take(cardBytes(bob, { peer: alice }))
    census.members.delete(bob.hotkey)
    expect(directory.hotkeyOf(peerOf(alice))).toBe(alice.hotkey)
    census.members = new Set([bob.hotkey])
    expect(directory.hotkeyOf(peerOf(alice))).toBe(bob.hotkey)
    directory.take(cardBytes(bob, { sequence: 2 }))
    expect([directory.hotkeyOf(peerOf(alice)), directory.hotkeyOf(peerOf(bob))]).toEqual([null, bob.hotkey])
  })
})

test.each<[string, Uint8Array, string]>([
  ['no card at all', Uint8Array.of(1, 2, 3), 'MESSAGE_MALFORMED'],
  ['of somebody unregistered', cardBytes(carol), 'HOTKEY_UNREGISTERED'],
  ['in another mouth', cardBytes({ ...bob, hotkey: alice.hotkey }), 'SIGNATURE_BAD'],
  ['expired', cardBytes(alice, { expires: BLOCK - 1 }), 'CARD_EXPIRED'],
  ['for ever', cardBytes(alice, { expires: BLOCK + CARD_BLOCKS + 1 }), 'CARD_TOO_LONG_LIVED'],
  ['into a home', cardBytes(alice, { addresses: ['/ip4/10.0.0.1/tcp/1'] }), 'ADDRESS_FORBIDDEN'],
])('a card %s is refused', async (_, bytes, code) => {
  const { directory } = await createDirectory(createCensus(alice, bob), { privateAllowed: false })
  expect(codeOf(directory.take(bytes))).toBe(code)
  expect(directory.peers()).toEqual([])
})

describe('an older card never takes the place of a newer one', () => {
  const old = cardBytes(alice, { sequence: 1, expires: BLOCK + 150 })
  const newer = cardBytes(alice, { sequence: 2, expires: BLOCK + 10 })

  test('while the newer one counts, and after it has expired', async () => {
    const census = createCensus(alice)
    const { directory } = await createDirectory(census)
    expect(codeOf(directory.take(old))).toBe('accept')
    expect(codeOf(directory.take(newer))).toBe('accept')
    expect(codeOf(directory.take(old))).toBe('CARD_SUPERSEDED')
    census.at = BLOCK + 11
    expect(directory.peerOf(alice.hotkey)).toBe(null)
    expect(codeOf(directory.take(old))).toBe('CARD_SUPERSEDED')
    census.at = BLOCK + 150
    expect(codeOf(directory.take(old))).toBe('CARD_SUPERSEDED')
    expect(codeOf(directory.take(cardBytes(alice, { sequence: 3, expires: BLOCK + 200 })))).toBe('accept')
  })

  test('whatever way it comes', async () => {
    const { directory } = await createDirectory(createCensus(alice))
    const moved = cardBytes(alice, { sequence: 2, addresses: ['/ip4/8.8.8.8/tcp/1'] })
    expect(codeOf(directory.take(moved))).toBe('accept')
    directory.file(old)
    directory.file(cardBytes(alice, { sequence: 2 }))
    expect(directory.peerOf(alice.hotkey)?.addresses).toEqual(['/ip4/8.8.8.8/tcp/1'])
    expect(directory.sequenceOf(alice.hotkey)).toBe(2)
    directory.file(cardBytes(alice, { sequence: 3 }))
    expect(directory.peerOf(alice.hotkey)?.addresses).toEqual([PUBLIC])
    expect(directory.sequenceOf(alice.hotkey)).toBe(3)
  })

  test('and when nothing can be alive any more that was signed before, it is forgotten', async () => {
    const census = createCensus(alice)
    const { directory } = await createDirectory(census)
    directory.take(newer)
    census.at = BLOCK + CARD_BLOCKS + 1
    expect(codeOf(directory.take(old))).toBe('CARD_EXPIRED')
    // A clock that was set back does not lock its node out for ever.
    expect(codeOf(directory.take(cardBytes(alice, { sequence: 1, expires: BLOCK + 300 })))).toBe('accept')
  })

  test('after a restart', async () => {
    const path = join(freshDir(), 'deep', 'cards.json')
    const first = await createDirectory(createCensus(alice, bob), { path })
    first.directory.take(newer)
    first.directory.take(cardBytes(bob))
    await first.directory.close()
    const second = await createDirectory(createCensus(alice, bob), { path })
    expect(codeOf(second.directory.take(old))).toBe('CARD_SUPERSEDED')
    expect(second.directory.hotkeyOf(peerOf(bob))).toBe(bob.hotkey)
    await second.directory.close()
    expect(readdirSync(join(path, '..'))).toEqual(['cards.json'])
  })

  test('what changed is written soon, without being told to', async () => {
    const path = join(freshDir(), 'cards.json')
    const { directory, clock } = await createDirectory(createCensus(alice), { path })
    directory.take(newer)
    clock.increment(1_000)
    await expect
      .poll(async () => {
        const again = await createDirectory(createCensus(alice), { path })
        return again.directory.peers().length
      })
      .toBe(1)
    await directory.close()
  })

  const fileOf = (...cards: readonly unknown[]): string => JSON.stringify({ ...network, cards })
  const lineOf = (card: Uint8Array, until: unknown = BLOCK + CARD_BLOCKS) => ({
    until,
    card: Buffer.from(card).toString('base64'),
  })
  const readBack = async (text: string) => {
    const path = join(freshDir(), 'cards.json')
    writeFileSync(path, text)
    const census = createCensus(alice, bob)
    return { ...(await createDirectory(census, { path, privateAllowed: false })), census }
  }

  test('what is read is judged again: a file is no proof', async () => {
    const forged = cardBytes({ ...carol, hotkey: bob.hotkey })
    const home = cardBytes(bob, { addresses: ['/ip4/10.0.0.1/tcp/1'] })
    const foreign = cardBytes(bob, { expires: BLOCK + CARD_BLOCKS + 1 })
    for (const bad of [forged, home, foreign]) {
      const { directory } = await readBack(fileOf(lineOf(bad), lineOf(newer)))
      expect(directory.peers()).toEqual([{ peerId: peerOf(alice), addresses: [PUBLIC] }])
      expect(directory.sequenceOf(bob.hotkey)).toBe(null)
    }
    const { directory, census } = await readBack(fileOf(lineOf(newer, BLOCK + 10 * CARD_BLOCKS)))
    census.at = BLOCK + CARD_BLOCKS + 1
    expect(directory.sequenceOf(alice.hotkey)).toBe(null)
  })

  test('also by a card that had ended before the restart, or whose hotkey is away', async () => {
    const ended = cardBytes(alice, { sequence: 2, expires: BLOCK - 1 })
    const away = cardBytes(carol, { sequence: 2 })
    const { directory, census } = await readBack(fileOf(lineOf(ended), lineOf(away)))
    expect(directory.peers()).toEqual([])
    expect(codeOf(directory.take(old))).toBe('CARD_SUPERSEDED')
    census.members.add(carol.hotkey)
    expect(directory.hotkeyOf(peerOf(carol))).toBe(carol.hotkey)
  })

  test.each([
    ['nothing', ''],
    ['something else', '{}'],
    ['null', 'null'],
    ['a list without a name', '[]'],
    ['of another chain', JSON.stringify({ ...network, genesis: '11'.repeat(32), cards: [lineOf(newer)] })],
    ['of no constitution', JSON.stringify({ genesis: network.genesis, cards: [lineOf(newer)] })],
    ['no card', fileOf({ until: 1 })],
    ['a bad card', fileOf({ until: 1, card: 'aa' })],
    ['a bad block', fileOf(lineOf(newer, 'x'))],
    ['a null', fileOf(null)],
  ])('a file that cannot be read (%s) is told, and the host starts without it', async (_, text) => {
    const path = join(freshDir(), 'cards.json')
    writeFileSync(path, text)
    const told: string[] = []
    const log = { ...SILENT, warn: (message: string) => void told.push(message) }
    const { directory } = await createDirectory(createCensus(alice), { path, log })
    expect(told).toEqual(['the cards of an earlier run cannot be read'])
    expect(codeOf(directory.take(newer))).toBe('accept')
    await directory.close()
    expect((await createDirectory(createCensus(alice), { path })).directory.peers()).toHaveLength(1)
  })
})

test('cards of thousands of hotkeys are not held, and who has left makes room', async () => {
  const nameOf = (i: number): string => toHex(new Uint8Array(32).fill(i >> 8).fill(i & 255, 16))
  const many = Array.from({ length: CARDS_HELD_MAX }, (_, i) => ({ ...alice, hotkey: nameOf(i) }))
  const census = createCensus(alice, ...many)
  // A thousand signatures take seconds, and are not what this is about.
  const { directory } = await createDirectory(census, { verify: () => true })
  for (const key of many) expect(codeOf(directory.take(cardBytes(key)))).toBe('accept')
  expect(codeOf(directory.take(cardBytes(alice)))).toBe('CARD_TOO_MANY')
  census.members.delete(nameOf(7))
  expect(codeOf(directory.take(cardBytes(alice)))).toBe('accept')
  expect(directory.peers()).toHaveLength(CARDS_HELD_MAX)
}, 30_000)
