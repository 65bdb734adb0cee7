/**
 * Bittensor wallets on disk: `DIR/NAME/coldkey`, `coldkeypub.txt`, `hotkeys/HOTKEY`, `hotkeys/HOTKEYpub.txt`.
 *
 * The hotkey signs for a node and is kept plain, the coldkey owns the money and is kept encrypted. What is written here
 * `btcli` reads, and the other way round; nothing is ever overwritten.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type ErrorCode, NodeError } from '../errors.ts'
import { toHex, utf8 } from '../util/bytes.ts'
import { encryptionOf, isTorn, type Kdf, passwordKey, seal, unseal } from './wallet-box.ts'
import { damaged, readOpenFile, readSecretFile, writeSecretFile } from './wallet-file.ts'
import {
  accessOf,
  type KeyAccess,
  type KeyMaterial,
  materialOfPhrase,
  newPhrase,
  printKey,
  printPublicKey,
  type ReadKey,
  readKey,
  readPublicKey,
} from './wallet-key.ts'

export type WalletPlace = { readonly dir: string; readonly wallet: string; readonly hotkey: string }
export type KeyRole = 'coldkey' | 'hotkey'

export type UnlockDeps = {
  /** Asked only when the file is encrypted. */
  readonly password: () => Promise<string>
  readonly kdf?: Kdf
}

const NAME_LENGTH_MAX = 100
const PUBLIC_SUFFIX = 'pub.txt'
/** Under `DIR/NAME`; what `btcli` lists there are hotkeys. */
const HOTKEYS = 'hotkeys'

const OUTDATED = 'its encryption is of an older version: an Ansible vault, or Fernet'

/** The name of a file and nothing else: no way out of the directory, nothing hidden, nothing that steers a terminal. */
export const isWalletName = (name: string): boolean =>
  name.length >= 1 && name.length <= NAME_LENGTH_MAX && !/^\.|[/\\\p{C}\p{Zl}\p{Zp}]|pub\.txt$/u.test(name)

function pathOf({ dir, wallet, hotkey }: WalletPlace, role: KeyRole): string {
  for (const name of [wallet, hotkey]) {
    if (isWalletName(name)) continue
    const why = `a name has 1 to ${NAME_LENGTH_MAX} characters, no slash, no dot in front, and does not end in ${PUBLIC_SUFFIX}`
    throw new NodeError('WALLET_NAME_INVALID', { what: `'${name}' is no name for a wallet or a hotkey`, why })
  }
  return role === 'coldkey' ? join(dir, wallet, 'coldkey') : join(dir, wallet, HOTKEYS, hotkey)
}

const publicPathOf = (place: WalletPlace, role: KeyRole): string => `${pathOf(place, role)}${PUBLIC_SUFFIX}`

const nameOf = ({ wallet, hotkey }: WalletPlace, role: KeyRole): string =>
  role === 'coldkey' ? `coldkey of wallet '${wallet}'` : `hotkey '${hotkey}' of wallet '${wallet}'`

/** Throws WALLET_MISSING, WALLET_EXPOSED, WALLET_LOCKED, WALLET_DAMAGED, WALLET_UNSUPPORTED. */
export async function openKey(place: WalletPlace, role: KeyRole, deps: UnlockDeps): Promise<KeyAccess> {
  const path = pathOf(place, role)
  const name = nameOf(place, role)
  const read = readKey(await unlock(await readSecretFile(path, name), { path, name }, deps))
  if (read.is !== 'key') throw unreadable(path, name, read)
  return accessOf(read.material)
}

type Named = { readonly path: string; readonly name: string }

async function unlock(file: Uint8Array, { path, name }: Named, { password, kdf }: UnlockDeps): Promise<string> {
  const encryption = encryptionOf(file)
  if (encryption === 'none') return new TextDecoder().decode(file)
  if (encryption === 'outdated') throw unsupported(path, name, OUTDATED)
  if (isTorn(file)) throw damaged(path, name, `${file.length} bytes are too few`)
  const text = await unseal(file, await password(), kdf ?? passwordKey)
  if (text !== null) return text
  const why = 'the password is wrong, or the file was changed'
  throw new NodeError('WALLET_LOCKED', { what: `the ${name} stays locked`, why })
}

/** Hex of a public key without its secret: from `…pub.txt`, or from the key file where older tools wrote no other. */
export async function readPublic(place: WalletPlace, role: KeyRole): Promise<string> {
  const path = publicPathOf(place, role)
  const name = nameOf(place, role)
  const bytes = await readOpenFile(path, name).catch(nullWhen('WALLET_MISSING'))
  const file = bytes ?? (await readSecretFile(pathOf(place, role), name))
  const key = readPublicKey(new TextDecoder().decode(file))
  if (key === null) throw damaged(bytes === null ? pathOf(place, role) : path, name, 'it names no public key')
  return key
}

export type NewKey = {
  /** Absent: a new one. */
  readonly phrase?: string
  /** `null` leaves the file plain. */
  readonly password: string | null
}
export type MadeKey = { readonly publicKey: Uint8Array; readonly path: string; readonly phrase: string }

/** Writes a key and its public file. Throws WALLET_EXISTS. */
export async function createKey(place: WalletPlace, role: KeyRole, key: NewKey, kdf = passwordKey): Promise<MadeKey> {
  const path = pathOf(place, role)
  const name = nameOf(place, role)
  const material = keyOfPhrase(key.phrase ?? newPhrase())
  const hasPublic = await checkPublic(place, role, material)
  const text = printKey(material)
  await writeSecretFile(path, name, key.password === null ? utf8(text) : await seal(text, key.password, kdf))
  if (!hasPublic) await writeSecretFile(publicPathOf(place, role), name, utf8(printPublicKey(material.publicKey)))
  return { publicKey: material.publicKey, path, phrase: material.phrase }
}

/** Throws USAGE, without a word of the phrase. */
export function keyOfPhrase(phrase: string): KeyMaterial & { readonly phrase: string } {
  const material = materialOfPhrase(phrase)
  if (material !== null) return material
  const why = 'it is not 12 to 24 words of the BIP-39 list with a matching checksum'
  throw new NodeError('USAGE', { what: 'the phrase makes no key', why, remedy: 'check its words and their order' })
}

/** A public file may have been brought along without its secret; then it must be of the key that is restored. */
async function checkPublic(place: WalletPlace, role: KeyRole, material: KeyMaterial): Promise<boolean> {
  const path = publicPathOf(place, role)
  const file = await readOpenFile(path, nameOf(place, role)).catch(nullWhen('WALLET_MISSING'))
  if (file === null) return false
  if (readPublicKey(new TextDecoder().decode(file)) === toHex(material.publicKey)) return true
  throw new NodeError('WALLET_EXISTS', { what: `${path} is there already`, why: 'it names another public key' })
}

const nullWhen = (code: ErrorCode) => (error: unknown) => {
  if (error instanceof NodeError && error.code === code) return null
  throw error
}

export type KeyState = {
  /** `null` when it cannot be told without the secret. */
  readonly publicKey: string | null
  /** Whether the secret is here, and how it is kept; `problem` says what is wrong with it. */
  readonly secret: 'absent' | 'plain' | 'encrypted' | 'unusable'
  readonly problem: NodeError | null
}

/** What can be said of a key without its password. */
export async function inspectKey(place: WalletPlace, role: KeyRole): Promise<KeyState> {
  const publicKey = await readPublic(place, role).catch(problemOf)
  const known = typeof publicKey === 'string' ? publicKey : null
  const file = await readSecretFile(pathOf(place, role), nameOf(place, role)).catch(problemOf)
  if (file instanceof NodeError) {
    const isAbsent = file.code === 'WALLET_MISSING'
    const problem = isAbsent && known !== null ? null : file
    return { publicKey: known, secret: isAbsent ? 'absent' : 'unusable', problem }
  }
  const secret = encryptionOf(file) === 'none' ? 'plain' : 'encrypted'
  const problem = problemIn(file, place, role, known)
  return { publicKey: known, secret: problem === null ? secret : 'unusable', problem }
}

function problemIn(file: Uint8Array, place: WalletPlace, role: KeyRole, known: string | null): NodeError | null {
  const path = pathOf(place, role)
  const name = nameOf(place, role)
  const encryption = encryptionOf(file)
  if (encryption === 'nacl') return isTorn(file) ? damaged(path, name, `${file.length} bytes are too few`) : null
  if (encryption === 'outdated') return unsupported(path, name, OUTDATED)
  const read = readKey(new TextDecoder().decode(file))
  if (read.is !== 'key') return unreadable(path, name, read)
  // The public file is what people look at and pay to: it must not name another key than the one that signs.
  if (known === toHex(read.material.publicKey)) return null
  return damaged(publicPathOf(place, role), name, 'it is the public key of another one, or of none')
}

function problemOf(error: unknown): NodeError {
  if (error instanceof NodeError) return error
  throw error
}

/** Names of wallets and of their hotkeys, sorted. A directory that is not there has none. */
export async function listWallets(
  dir: string,
): Promise<readonly { readonly wallet: string; readonly hotkeys: readonly string[] }[]> {
  const wallets = await namesIn(dir, true)
  return Promise.all(
    wallets.map(async (wallet) => ({ wallet, hotkeys: await namesIn(join(dir, wallet, HOTKEYS), false) })),
  )
}

async function namesIn(dir: string, areFolders: boolean): Promise<readonly string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw new NodeError('FILE_UNREADABLE', { what: 'wallets cannot be listed', why: `${dir}: ${error.code}` })
  })
  const fitting = entries.filter((entry) => (areFolders ? !entry.isFile() : !entry.isDirectory()))
  return fitting
    .map(({ name }) => (areFolders ? name : name.replace(/pub\.txt$/, '')))
    .filter((name, i, all) => isWalletName(name) && all.indexOf(name) === i)
    .sort()
}

const unreadable = (path: string, name: string, { is, why }: Exclude<ReadKey, { is: 'key' }>): NodeError =>
  (is === 'damaged' ? damaged : unsupported)(path, name, why)

const unsupported = (path: string, name: string, why: string): NodeError =>
  new NodeError('WALLET_UNSUPPORTED', { what: `the ${name} at ${path} cannot be used`, why })
