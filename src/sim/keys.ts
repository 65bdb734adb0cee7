/** Real keys from a seed: sr25519 for the hotkey, Ed25519 for the peer. Only the randomness is the simulation's. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import * as sr25519 from '@scure/sr25519'
import type { Keys } from '../ports.ts'
import { peerIdOf } from '../protocol/peer-card.ts'
import { toHex } from '../util/bytes.ts'
import type { SeededRandom } from './random.ts'

export type SimKeys = Keys & {
  readonly peerId: string
  /** For the host's connections, where they are real. */
  readonly peerSecret: Uint8Array
}

export function createKeys(random: SeededRandom): SimKeys {
  const secret = sr25519.secretFromSeed(random.bytes(32))
  const peerSecret = random.bytes(32)
  return {
    hotkey: toHex(sr25519.getPublicKey(secret)),
    peerId: peerIdOf(ed25519.getPublicKey(peerSecret)),
    peerSecret,
    sign: (message) => sr25519.sign(secret, message, random.bytes(32)),
    mac: (message) => hmac(sha256, secret, message),
    prove: (claim) => ed25519.sign(claim, peerSecret),
  }
}
