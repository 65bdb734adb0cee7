/** Wallets on disk for tests: the fixture of another implementation, with the modes that git does not keep. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'
import type { WalletPlace } from '../../src/chain/wallet.ts'
import { hexBytes } from '../../src/util/bytes.ts'

type Fixture = {
  readonly password: string
  readonly passwordKey: string
  readonly coldPhrase: string
  readonly hotPhrase: string
  readonly files: { readonly [path: string]: string }
}

const path = join(import.meta.dirname, '..', 'fixtures', 'wallet', 'wallet.json')
export const FIXTURE = JSON.parse(readFileSync(path, 'utf8')) as Fixture

export const fileOf = (name: string): Uint8Array => new Uint8Array(Buffer.from(FIXTURE.files[name] as string, 'base64'))
export const textOf = (name: string): string => new TextDecoder().decode(fileOf(name))

/** The real one takes seconds; this knows the one password of the fixture. */
export const quickKdf = async (password: string): Promise<Uint8Array> =>
  password === FIXTURE.password ? hexBytes(FIXTURE.passwordKey) : new Uint8Array(32)

const made: string[] = []
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true })
})

export function freshDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'wheelwright-wallet-'))
  made.push(dir)
  return dir
}

/** A directory with the wallets `golden` and `open`. */
export function walletDir(): string {
  const dir = freshDir()
  for (const name of Object.keys(FIXTURE.files)) put(join(dir, name), fileOf(name))
  return dir
}

export function put(file: string, content: Uint8Array | string, mode = 0o600): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  chmodSync(file, mode)
}

export const place = (dir: string, wallet: string, hotkey: string): WalletPlace => ({ dir, wallet, hotkey })
