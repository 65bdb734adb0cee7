import { ed25519 } from '@noble/curves/ed25519.js'
import { expect, test } from 'vitest'
import type { Directory } from '../../src/p2p/directory.ts'
import { createOwnCard } from '../../src/p2p/own-card.ts'
import { openCard } from '../../src/protocol/peer-card.ts'
import { Flaw } from '../../src/protocol/schema.ts'
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
} from './member-stage.ts'

const alice = keyOf(1)

function stage(directory?: Pick<Directory, 'sequenceOf'>) {
  const census = createCensus(alice)
  const place = { peerId: peerOf(alice), addresses: [PUBLIC] }
  let nowMs = 1_000
  const keys = { ...alice, prove: (claim: Uint8Array) => ed25519.sign(claim, alice.peer) }
  const now = () => nowMs
  const own = createOwnCard(
    { network, cardBlocksMax: CARD_BLOCKS },
    { keys, self: () => place, census, clock: { now }, ...(directory === undefined ? {} : { directory }) },
  )
  return { own, census, place, pass: (ms = 1_000) => (nowMs += ms) }
}

const read = (bytes: Uint8Array) => {
  const opened = openCard(bytes)
  if (opened instanceof Flaw) throw new Error(opened.problem)
  return opened.card
}

test('is what others take, and the same until half of its time is over', async () => {
  const { own, census, pass } = stage()
  const first = own.bytes()
  const { directory } = await createDirectory(census, { privateAllowed: false })
  expect(directory.take(first)).toEqual({ kind: 'accept' })
  pass()
  census.at = BLOCK + CARD_BLOCKS / 4
  expect(own.bytes()).toBe(first)
  census.at += 1
  expect(own.bytes()).not.toBe(first)
  expect(directory.take(own.bytes())).toEqual({ kind: 'accept' })
})

test('names where we are now', () => {
  const { own, place, pass } = stage()
  own.bytes()
  pass()
  place.addresses = [...place.addresses, '/ip4/8.8.8.8/tcp/4001']
  expect(read(own.bytes())).toMatchObject({ addresses: place.addresses, sequence: 2_000 })
})

test('is the one that we have said, and never one that somebody else has', () => {
  const { own } = stage()
  const said = cardBytes(alice, { sequence: 7, expires: BLOCK + 150 })
  expect(own.said(said)).toBe(true)
  expect(own.bytes()).toBe(said)
  expect(own.said(cardBytes(keyOf(2), { sequence: 9 }))).toBe(false)
  expect(own.said(Uint8Array.of(1))).toBe(false)
  expect(own.bytes()).toBe(said)
})

test('is never older than one that we have shown, whatever the clock says', () => {
  const { own, place, pass } = stage()
  const said = cardBytes(alice, { sequence: 9_000, expires: BLOCK + 150 })
  expect([own.said(said), own.said(said), own.said(cardBytes(alice, { sequence: 8_999 }))]).toEqual([true, true, false])
  expect(own.bytes()).toBe(said)
  place.addresses = ['/ip4/8.8.8.8/tcp/4001']
  expect(read(own.bytes()).sequence).toBe(9_001)
  pass(10_000)
  place.addresses = [PUBLIC]
  expect(read(own.bytes()).sequence).toBe(11_000)
})

test('nor than one of an earlier run that others may remember', async () => {
  const { census } = stage()
  const { directory } = await createDirectory(census)
  directory.take(cardBytes(alice, { sequence: 9_000 }))
  const { own } = stage(directory)
  expect(own.said(cardBytes(alice, { sequence: 8_999 }))).toBe(false)
  expect(read(own.bytes()).sequence).toBe(9_001)
  expect(directory.take(own.bytes())).toEqual({ kind: 'accept' })
})
