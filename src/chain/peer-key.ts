/** The key of the peer, which is no wallet's: it names a node in the network, and a card binds it to the hotkey. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { NodeError } from '../errors.ts'
import type { Keys } from '../ports.ts'
import { peerIdOf } from '../protocol/peer-card.ts'
import { fromHex, toHex, utf8 } from '../util/bytes.ts'
import { readSecretFile, writeSecretFile } from './wallet-file.ts'
import type { KeyAccess } from './wallet-key.ts'

export type PeerKey = {
  readonly peerId: string
  readonly prove: Keys['prove']
  /** For the host's connections, and nobody else. */
  readonly secret: Uint8Array
}

/** The peer's own Ed25519 key: 64 hex digits in a file of its own, made when it is not there. */
export async function openPeerKey(path: string): Promise<PeerKey> {
  const name = 'peer key'
  const fresh = utf8(`${toHex(crypto.getRandomValues(new Uint8Array(32)))}\n`)
  await writeSecretFile(path, name, fresh).catch((error) => {
    if (!(error instanceof NodeError && error.code === 'WALLET_EXISTS')) throw error
  })
  const secret = fromHex(new TextDecoder().decode(await readSecretFile(path, name)).trim())
  if (secret?.length !== 32) {
    throw new NodeError('WALLET_DAMAGED', {
      what: `the ${name} at ${path} cannot be used`,
      why: 'it does not hold 64 hex digits',
      remedy: 'Delete the file: another is made, and peers learn of it from the next card.',
    })
  }
  return { peerId: peerIdOf(ed25519.getPublicKey(secret)), prove: (claim) => ed25519.sign(claim, secret), secret }
}

/** What a node signs with: the hotkey of a wallet, and the key of the peer. */
export function createKeys({ publicKey, sign, mac }: KeyAccess, { prove }: PeerKey): Keys {
  return { hotkey: toHex(publicKey), sign, mac, prove }
}
