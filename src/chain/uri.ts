/** Development keys from a URI such as `//Alice`: known to everybody, for chains that nobody pays on. */
import { Keyring } from '@polkadot/keyring'
import { cryptoWaitReady } from '@polkadot/util-crypto'
import { NodeError } from '../errors.ts'
import type { Signer } from './sign.ts'

const SS58_PREFIX = 42
const WORDS_MIN = 12

export async function developmentSigner(uri: string): Promise<Signer> {
  await cryptoWaitReady()
  try {
    // The library takes any word for a seed: a slash forgotten would be somebody else's account.
    if (!/^\/|^0x[0-9a-f]{64}/i.test(uri) && uri.trim().split(/\s+/).length < WORDS_MIN) throw new Error('no path')
    const pair = new Keyring({ type: 'sr25519', ss58Format: SS58_PREFIX }).addFromUri(uri)
    return { address: pair.address, publicKey: pair.publicKey, sign: (bytes) => pair.sign(bytes) }
  } catch {
    // Without a cause: what the library complains of it may also quote.
    const why = 'it is no derivation path such as //Alice and no mnemonic'
    throw new NodeError('USAGE', { what: '--uri cannot be read', why })
  }
}
