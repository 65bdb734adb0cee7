/** What every Blobs must do. */
import { describe, expect, test } from 'vitest'
import type { Blobs, PeerAddress } from '../../src/ports.ts'
import { cidOf, rawCidOf } from '../../src/protocol/codec.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { aborted, expectCancelled, expectCode, fresh, type Harness, never } from './harness.ts'

export type BlobPeer = { readonly blobs: Blobs; readonly address: PeerAddress }
export type BlobsHarness = Harness & {
  /** Three, each connected to all others. */
  readonly peers: readonly [BlobPeer, BlobPeer, BlobPeer]
  /** Flips a bit of what a peer has stored under this CID, behind its back. */
  readonly damage: (peer: number, cid: string) => Promise<void>
  /** The first peer's store again, as after a restart. */
  readonly again: () => Promise<Blobs>
}

const bytes = utf8('content that is addressed by what it is')
const raw = { codec: 'raw', withheld: false, signal: never } as const
const sealed = { ...raw, withheld: true } as const
const cid = rawCidOf(bytes)
const UNKNOWN = rawCidOf(utf8('nobody ever stored this'))

const anywhere = { bytesMax: 1_000, from: [], signal: never }
const from = (...peers: readonly BlobPeer[]) => ({ ...anywhere, from: peers.map(({ address }) => address) })

export function describeBlobsContract(name: string, createHarness: () => Promise<BlobsHarness>): void {
  const on = fresh(createHarness)
  describe(`the blobs contract: ${name}`, () => {
    describeStoring(on)
    describeFetching(on)
    describeWithholding(on)
    describeDamage(on)
    describeRetaining(on)
  })
}

type On = (body: (harness: BlobsHarness) => Promise<void>) => () => Promise<void>

function describeStoring(on: On): void {
  test(
    'what is stored is found under the CID of its bytes and its codec',
    on(async ({ peers: [{ blobs }] }) => {
      expect(await blobs.put(bytes, raw)).toBe(cid)
      expect(await blobs.put(bytes, { ...raw, codec: 'dag-cbor' })).toBe(cidOf(bytes))
      for (const held of [cid, cidOf(bytes)]) {
        expect(await blobs.has(held)).toBe(true)
        expect(await blobs.get(held, anywhere)).toEqual(bytes)
      }
      expect(await blobs.has(UNKNOWN)).toBe(false)
    }),
  )
  test(
    'nothing is stored once more, and everything is there after a restart',
    on(async ({ peers: [{ blobs }], again }) => {
      await blobs.put(bytes, raw)
      expect(await blobs.put(bytes, raw)).toBe(cid)
      const restarted = await again()
      expect(await restarted.has(cid)).toBe(true)
      expect(await restarted.get(cid, anywhere)).toEqual(bytes)
      expect(await restarted.retain(new Set(), { signal: never })).toEqual({ freedBytes: bytes.length })
    }),
  )
  test(
    'what the author or a reader changes afterwards does not change what is stored',
    on(async ({ peers: [{ blobs }, other] }) => {
      const handed = bytes.slice()
      const stored = blobs.put(handed, raw)
      handed.fill(0)
      expect(await stored).toBe(cid)
      const read = await blobs.get(cid, anywhere)
      read.fill(0)
      expect(await blobs.get(cid, anywhere)).toEqual(bytes)
      expect(await other.blobs.get(cid, anywhere)).toEqual(bytes)
    }),
  )
  test(
    'no bytes are content too',
    on(async ({ peers: [{ blobs }, other] }) => {
      const empty = await blobs.put(new Uint8Array(0), raw)
      expect(await other.blobs.get(empty, { ...anywhere, bytesMax: 0 })).toHaveLength(0)
    }),
  )
  test(
    'what was cancelled ends with an error',
    on(async ({ peers: [{ blobs }] }) => {
      await expect(blobs.put(bytes, { ...raw, signal: aborted })).rejects.toThrow()
      await expectCancelled((signal) => blobs.get(UNKNOWN, { ...anywhere, signal }))
      await expect(blobs.retain(new Set(), { signal: aborted })).rejects.toThrow()
    }),
  )
}

function describeFetching(on: On): void {
  test(
    'a peer is asked, the named ones or any',
    on(async ({ peers: [a, b, c] }) => {
      await a.blobs.put(bytes, raw)
      expect(await b.blobs.get(cid, from(a))).toEqual(bytes)
      expect(await c.blobs.get(cid, anywhere)).toEqual(bytes)
    }),
  )
  test(
    'a named peer that has it not does not keep others from being asked',
    on(async ({ peers: [a, b, c] }) => {
      await a.blobs.put(bytes, raw)
      expect(await c.blobs.get(cid, from(b))).toEqual(bytes)
    }),
  )
  test(
    'what was fetched is here, and is served on when its first holder is gone',
    on(async ({ peers: [a, b, c] }) => {
      await a.blobs.put(bytes, raw)
      await b.blobs.get(cid, from(a))
      expect(await b.blobs.has(cid)).toBe(true)
      await a.blobs.retain(new Set(), { signal: never })
      expect(await c.blobs.get(cid, from(a, b))).toEqual(bytes)
    }),
  )
  test(
    'what nobody serves is unavailable',
    on(async ({ peers: [a, b] }) => {
      await expectCode(a.blobs.get(UNKNOWN, anywhere), 'BLOB_UNAVAILABLE')
      await expectCode(a.blobs.get(UNKNOWN, from(b)), 'BLOB_UNAVAILABLE')
      expect(await a.blobs.has(UNKNOWN)).toBe(false)
    }),
  )
  test(
    'what is larger than agreed is refused, here and from a peer, and not kept',
    on(async ({ peers: [a, b] }) => {
      await a.blobs.put(bytes, raw)
      const short = { bytesMax: bytes.length - 1 }
      await expectCode(b.blobs.get(cid, { ...from(a), ...short }), 'BLOB_TOO_LARGE')
      expect(await b.blobs.has(cid)).toBe(false)
      await expectCode(a.blobs.get(cid, { ...anywhere, ...short }), 'BLOB_TOO_LARGE')
      expect(await b.blobs.get(cid, { ...from(a), bytesMax: bytes.length })).toEqual(bytes)
    }),
  )
}

function describeWithholding(on: On): void {
  test(
    'what is withheld is here and nowhere else, though its CID is known',
    on(async ({ peers: [a, b] }) => {
      expect(await a.blobs.put(bytes, sealed)).toBe(cid)
      expect(await a.blobs.get(cid, anywhere)).toEqual(bytes)
      await expectCode(b.blobs.get(cid, from(a)), 'BLOB_UNAVAILABLE')
    }),
  )
  test(
    'it stays withheld over a restart',
    on(async ({ peers: [a, b], again }) => {
      await a.blobs.put(bytes, sealed)
      await again()
      await expectCode(b.blobs.get(cid, from(a)), 'BLOB_UNAVAILABLE')
    }),
  )
  test(
    'release serves it, and again does nothing',
    on(async ({ peers: [a, b] }) => {
      await a.blobs.put(bytes, sealed)
      await a.blobs.release(cid)
      await a.blobs.release(cid)
      expect(await b.blobs.get(cid, from(a))).toEqual(bytes)
    }),
  )
  test(
    'releasing what was not withheld, or is not here, does nothing',
    on(async ({ peers: [a, b] }) => {
      await a.blobs.put(bytes, raw)
      await a.blobs.release(cid)
      await a.blobs.release(UNKNOWN)
      expect(await a.blobs.has(UNKNOWN)).toBe(false)
      expect(await b.blobs.get(cid, from(a))).toEqual(bytes)
    }),
  )
  test(
    'storing it once more for everybody serves it, and withholding takes nothing back',
    on(async ({ peers: [a, b, c] }) => {
      await a.blobs.put(bytes, sealed)
      await a.blobs.put(bytes, raw)
      expect(await b.blobs.get(cid, from(a))).toEqual(bytes)
      await a.blobs.put(bytes, sealed)
      await b.blobs.retain(new Set(), { signal: never })
      expect(await c.blobs.get(cid, from(a))).toEqual(bytes)
    }),
  )
}

function describeDamage(on: On): void {
  test(
    'a damaged block is fetched again',
    on(async ({ peers: [a, b], damage }) => {
      await a.blobs.put(bytes, raw)
      await b.blobs.get(cid, from(a))
      await damage(0, cid)
      expect(await a.blobs.get(cid, from(b))).toEqual(bytes)
      expect(await a.blobs.get(cid, anywhere)).toEqual(bytes)
    }),
  )
  test(
    'a damaged block is never returned and never served',
    on(async ({ peers: [a, b], damage }) => {
      await a.blobs.put(bytes, raw)
      await damage(0, cid)
      await expectCode(b.blobs.get(cid, from(a)), 'BLOB_UNAVAILABLE')
      await expectCode(a.blobs.get(cid, anywhere), 'BLOB_UNAVAILABLE')
    }),
  )
  test(
    'a peer with a damaged block does not keep a sound one away',
    on(async ({ peers: [a, b, c], damage }) => {
      await a.blobs.put(bytes, raw)
      await b.blobs.put(bytes, raw)
      await damage(0, cid)
      expect(await c.blobs.get(cid, from(a, b))).toEqual(bytes)
    }),
  )
  test(
    'storing it again heals it',
    on(async ({ peers: [a, b], damage }) => {
      await a.blobs.put(bytes, raw)
      await damage(0, cid)
      await a.blobs.put(bytes, raw)
      expect(await b.blobs.get(cid, from(a))).toEqual(bytes)
    }),
  )
}

function describeRetaining(on: On): void {
  test(
    'retain frees exactly what is not in the set',
    on(async ({ peers: [{ blobs }] }) => {
      const texts = ['one', 'three', 'fourteen'].map(utf8)
      const cids: string[] = []
      for (const text of texts) cids.push(await blobs.put(text, raw))
      const hidden = await blobs.put(bytes, sealed)
      const kept = new Set([cids[0] as string, hidden, UNKNOWN])
      expect(await blobs.retain(kept, { signal: never })).toEqual({ freedBytes: 5 + 8 })
      expect(await Promise.all([...cids, hidden].map((held) => blobs.has(held)))).toEqual([true, false, false, true])
      expect(await blobs.get(cids[0] as string, anywhere)).toEqual(texts[0])
      expect(await blobs.retain(kept, { signal: never })).toEqual({ freedBytes: 0 })
    }),
  )
  test(
    'what was freed can be stored and fetched again',
    on(async ({ peers: [a, b] }) => {
      await a.blobs.put(bytes, raw)
      await b.blobs.get(cid, from(a))
      await b.blobs.retain(new Set(), { signal: never })
      expect(await b.blobs.has(cid)).toBe(false)
      expect(await b.blobs.get(cid, from(a))).toEqual(bytes)
    }),
  )
}
