/** Wallets in use: the real key derivation, and the commands that sign, against the development chain. */
import { expect, test } from 'vitest'
import { createKey, openKey } from '../../src/chain/wallet.ts'
import { passwordKey } from '../../src/chain/wallet-box.ts'
import { main } from '../../src/cli/main.ts'
import { toHex } from '../../src/util/bytes.ts'
import { FIXTURE, freshDir, place, textOf, walletDir } from '../chain/wallet-stage.ts'
import { createFakeIo } from '../cli/fake-io.ts'
import { createSigners, createSubnetChain } from './chain-stage.ts'

test('the password gives the key that libsodium makes of it', async () => {
  expect(toHex(await passwordKey(FIXTURE.password))).toBe(FIXTURE.passwordKey)
})

test('a coldkey is encrypted and unlocked at full cost', async () => {
  const fresh = place(freshDir(), 'new', 'first')
  const { publicKey } = await createKey(fresh, 'coldkey', { password: FIXTURE.password })
  const access = await openKey(fresh, 'coldkey', { password: async () => FIXTURE.password })
  expect(access.publicKey).toEqual(publicKey)
})

/** The coldkey of `open` is Alice's, who has money on a development chain. */
test('a coldkey registers and stakes for its hotkey, which then commits', async () => {
  const dev = await createSubnetChain(await createSigners(), { blockMs: 250 })
  try {
    const dir = walletDir()
    const run = async (line: string) => {
      const { io, texts } = createFakeIo()
      const flags = [
        '--network',
        dev.url,
        '--wallet',
        'open',
        '--hotkey',
        'path',
        '--wallet-dir',
        dir,
        '--dir',
        freshDir(),
        '--json',
      ]
      const code = await main(['chain', ...line.split(' '), ...flags], io)
      return { code, out: texts.out, told: JSON.parse(texts.out) as { done?: string } }
    }
    expect(await run('register')).toMatchObject({ code: 0, told: { done: 'registered' } })
    expect(await run('stake --amount 5')).toMatchObject({ code: 0, told: { done: 'staked 5 TAO' } })
    expect(await run('commit --data 0badc0de')).toMatchObject({ code: 0, told: { done: 'committed' } })
    const { io, texts } = createFakeIo()
    await main(['chain', 'metagraph', '--network', dev.url, '--json'], io)
    expect(texts.out).toContain(JSON.parse(textOf('open/hotkeys/pathpub.txt')).ss58Address)
  } finally {
    await dev.stop()
  }
})
