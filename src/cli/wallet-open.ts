/** What the commands share that touch a wallet: which one the flags name, and where its password comes from. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Signer } from '../chain/sign.ts'
import { inspectKey, type KeyRole, type KeyState, openKey, type WalletPlace } from '../chain/wallet.ts'
import { readSecretFile } from '../chain/wallet-file.ts'
import { NodeError } from '../errors.ts'
import { toSs58 } from '../protocol/hotkey.ts'
import { toHex } from '../util/bytes.ts'
import type { FlagValues } from './command.ts'
import type { Io } from './io.ts'
import { PASSWORD_VARIABLE, type WALLET_FLAGS } from './wallet-table.ts'

/** What `btcli` takes when it is told nothing. */
const DEFAULT_NAME = 'default'
/** The cost of guessing is the key derivation's; this only keeps out what is guessed first. */
const PASSWORD_LENGTH_MIN = 8

export type WalletChoice = Omit<FlagValues<typeof WALLET_FLAGS>, 'json'>
type PasswordFlags = { readonly 'password-file'?: string | undefined }

export const walletDirOf = (flags: Partial<WalletChoice>): string =>
  flags['wallet-dir'] ?? join(homedir(), '.bittensor', 'wallets')

export const placeOf = (flags: Partial<WalletChoice>): WalletPlace => ({
  dir: walletDirOf(flags),
  wallet: flags.wallet ?? DEFAULT_NAME,
  hotkey: flags.hotkey ?? DEFAULT_NAME,
})

/** The key that signs, and the hotkey that it is about. */
export async function openWallet(
  flags: Partial<WalletChoice> & PasswordFlags,
  io: Io,
  signedBy: KeyRole,
): Promise<{ readonly signer: Signer; readonly hotkey: string }> {
  const place = placeOf(flags)
  const question = `the password of the ${signedBy}: `
  const unlock = { password: () => readUnlocking(flags, io, question) }
  if (signedBy === 'hotkey') {
    const signer = await openKey(place, 'hotkey', unlock)
    return { signer, hotkey: toHex(signer.publicKey) }
  }
  // First what costs nothing: a hotkey that is not there, or whose files contradict each other, must not be paid for.
  const { publicKey, problem } = await inspectKey(place, 'hotkey')
  if (problem !== null) throw problem
  if (publicKey === null) {
    const why = 'its file is encrypted, and there is no public file beside it'
    throw new NodeError('WALLET_LOCKED', { what: `the address of hotkey '${place.hotkey}' is not known`, why })
  }
  return { signer: await openKey(place, 'coldkey', unlock), hotkey: publicKey }
}

async function readUnlocking(flags: PasswordFlags, io: Io, question: string): Promise<string> {
  const password = await readPassword(flags, io, question)
  io.stderr.write('unlocking takes some seconds\n')
  return password
}

/** From a file, the environment, or the person in front of us; never from the command line, which others can read. */
export async function readPassword(flags: PasswordFlags, io: Io, question: string): Promise<string> {
  const given = await givenPassword(flags, io)
  const password = given ?? (await io.askSecret?.(question))
  if (password !== undefined && password !== '') return password
  const why = password === '' ? 'the password is empty' : 'there is no terminal to ask on'
  throw new NodeError('WALLET_LOCKED', { what: 'a password is needed', why })
}

/** Twice when it is typed: nobody sees what they type. */
export async function readNewPassword(flags: PasswordFlags, io: Io): Promise<string> {
  const password = await readPassword(flags, io, 'a password for the new coldkey: ')
  if (password.length < PASSWORD_LENGTH_MIN) {
    const why = `it has ${password.length} characters; ${PASSWORD_LENGTH_MIN} are the least`
    throw new NodeError('USAGE', { what: 'the password is too short', why, remedy: 'choose a longer one' })
  }
  if ((await givenPassword(flags, io)) !== null) return password
  if ((await io.askSecret?.('the same once more: ')) === password) return password
  throw new NodeError('USAGE', { what: 'no wallet was made', why: 'the two passwords differ', remedy: 'try again' })
}

async function givenPassword(flags: PasswordFlags, io: Io): Promise<string | null> {
  const path = flags['password-file']
  if (path === undefined) return io.env[PASSWORD_VARIABLE] ?? null
  return (await readText(path, 'password file')).replace(/\r?\n$/, '')
}

/** A file with a secret that the user wrote. Nobody else may read it either. */
export const readText = async (path: string, name: string): Promise<string> =>
  new TextDecoder().decode(await readSecretFile(path, name))

/** A key as programs read it. */
export const stateJson = ({ publicKey, secret, problem }: KeyState) => ({
  address: publicKey === null ? null : toSs58(publicKey),
  publicKey,
  secret,
  ...(problem === null ? {} : { problem: { code: problem.code, what: problem.what, why: problem.why } }),
})

const KEPT: { readonly [S in KeyState['secret']]: string } = {
  absent: 'public part only',
  plain: 'plain',
  encrypted: 'encrypted',
  unusable: 'unusable',
}

/** A key as people read it, in one line. */
export function stateText({ publicKey, secret, problem }: KeyState): string {
  if (publicKey === null && secret === 'absent') return 'not here'
  const address = publicKey === null ? '(unknown)' : toSs58(publicKey)
  return `${address}  ${problem === null ? KEPT[secret] : `${problem.code}: ${problem.why}`}`
}
