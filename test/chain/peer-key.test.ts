import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openPeerKey } from '../../src/chain/peer-key.ts'
import { expectCode } from '../contracts/harness.ts'
import { freshDir, put } from './wallet-stage.ts'

test('the key of a peer is made once, for its owner alone, and a damaged one is not replaced in silence', async () => {
  const path = join(freshDir(), 'node', 'peer')
  const { peerId } = await openPeerKey(path)
  expect((await openPeerKey(path)).peerId).toBe(peerId)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  put(path, 'abc')
  await expectCode(openPeerKey(path), 'WALLET_DAMAGED')
  put(path, '00'.repeat(32), 0o644)
  await expectCode(openPeerKey(path), 'WALLET_EXPOSED')
})
