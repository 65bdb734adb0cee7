import { Keyring } from '@polkadot/keyring'
import { expect, test } from 'vitest'
import { DEV_ACCOUNTS } from '../../../src/chain/dev/dev-account.ts'
import { toHex } from '../../../src/util/bytes.ts'

test.each(Object.entries(DEV_ACCOUNTS))('%s has the key that every tool derives', (uri, key) => {
  expect(toHex(new Keyring({ type: 'sr25519' }).addFromUri(uri).publicKey)).toBe(key)
})
