import { ed25519 } from '@noble/curves/ed25519.js'
import { expect, test } from 'vitest'
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

function stage() {
  const census = createCensus(alice)
  const place = { peerId: peerOf(alice), addresses: [PUBLIC] }
  let nowMs = 1_000
  const keys = { ...alice, prove: (claim: Uint8Array) => ed25519.sign(claim, alice.peer) }
  const now = () => nowMs
  const own = createOwnCard(
    { network, cardBlocksMax: CARD_BLOCKS },
    { keys, self: () => place, census, clock: { now } },
  )
  return { own, census, place, pass: () => (nowMs += 1_000) }
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
