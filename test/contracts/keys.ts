/** What every Keys must do. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { describe, expect, test } from 'vitest'
import type { Keys } from '../../src/ports.ts'
import { verifySr25519 } from '../../src/protocol/envelope.ts'
import { peerKeyOf } from '../../src/protocol/peer-card.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { fresh, type Harness } from './harness.ts'

export type KeysHarness = Harness & {
  readonly keys: Keys
  /** The peer whose own key `prove` uses. */
  readonly peerId: string
  /** The same keys again, as after a restart. */
  readonly again: () => Promise<Keys>
}

export function describeKeysContract(name: string, createHarness: () => Promise<KeysHarness>): void {
  const on = fresh(createHarness)
  const message = utf8('wheelwright/test/v1\nsomething that begins with a tag')
  const other = utf8('wheelwright/test/v1\nsomething else')
  describe(`the keys contract: ${name}`, () => {
    test(
      'the hotkey is 64 hex digits, and the same after a restart',
      on(async ({ keys, again }) => {
        expect(keys.hotkey).toMatch(/^[0-9a-f]{64}$/)
        expect((await again()).hotkey).toBe(keys.hotkey)
      }),
    )
    test(
      'a signature is by the hotkey, over this message alone',
      on(async ({ keys, again }) => {
        const signature = keys.sign(message)
        expect(signature).toHaveLength(64)
        expect(verifySr25519(keys.hotkey, message, signature)).toBe(true)
        expect(verifySr25519(keys.hotkey, other, signature)).toBe(false)
        expect(verifySr25519(keys.hotkey, message, (await again()).sign(message))).toBe(true)
      }),
    )
    test(
      'a mac is the same again after a crash, and another for another message',
      on(async ({ keys, again }) => {
        const mac = toHex(keys.mac(message))
        expect(mac).toMatch(/^[0-9a-f]{64}$/)
        expect(toHex(keys.mac(message))).toBe(mac)
        expect(toHex((await again()).mac(message))).toBe(mac)
        expect(toHex(keys.mac(other))).not.toBe(mac)
      }),
    )
    test(
      'a proof is by the key of the peer id, over this claim alone',
      on(async ({ keys, peerId }) => {
        const key = peerKeyOf(peerId) as Uint8Array
        const proof = keys.prove(message)
        expect(proof).toHaveLength(64)
        expect(ed25519.verify(proof, message, key)).toBe(true)
        expect(ed25519.verify(proof, other, key)).toBe(false)
      }),
    )
    test(
      'nothing is written into what was handed over',
      on(async ({ keys }) => {
        const copy = message.slice()
        keys.sign(copy)
        keys.mac(copy)
        keys.prove(copy)
        expect(copy).toEqual(message)
      }),
    )
  })
}
