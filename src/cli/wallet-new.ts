/** `wheelwright wallet new`: a coldkey and a hotkey, or one more hotkey; their phrases are shown once. */
import { createKey, inspectKey, type KeyRole, keyOfPhrase, type MadeKey, type WalletPlace } from '../chain/wallet.ts'
import { NodeError } from '../errors.ts'
import { toSs58 } from '../protocol/hotkey.ts'
import { toHex } from '../util/bytes.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'
import { placeOf, readNewPassword, readText } from './wallet-open.ts'
import type { WALLET_NEW_FLAGS } from './wallet-table.ts'

type NewFlags = FlagValues<typeof WALLET_NEW_FLAGS>
type Made = readonly [KeyRole, MadeKey]

export async function run(flags: NewFlags, io: Io): Promise<void> {
  const place = placeOf(flags)
  if (flags['hotkey-only'] && (flags.plain || flags['coldkey-phrase'] !== undefined)) {
    const why = '--plain and --coldkey-phrase are about the coldkey that --hotkey-only leaves out'
    throw new NodeError('USAGE', { what: '--hotkey-only contradicts another flag', why })
  }
  // All that can fail is tried before anything is written: half a wallet is worse than none.
  const phrases = { coldkey: await phraseOf(flags, 'coldkey'), hotkey: await phraseOf(flags, 'hotkey') }
  const roles: readonly KeyRole[] = flags['hotkey-only'] ? ['hotkey'] : ['coldkey', 'hotkey']
  for (const role of roles) await mustBeAbsent(place, role)
  const password = flags['hotkey-only'] || flags.plain ? null : await readNewPassword(flags, io)
  if (password !== null) io.stderr.write('encrypting the coldkey takes some seconds\n')
  const made: Made[] = []
  for (const role of roles) {
    const key = { ...phrases[role], password: role === 'coldkey' ? password : null }
    made.push([role, await createKey(place, role, key)])
  }
  tell(flags, io, place, made)
}

async function phraseOf(flags: NewFlags, role: KeyRole): Promise<{ readonly phrase?: string }> {
  const path = flags[`${role}-phrase`]
  if (path === undefined) return {}
  const phrase = await readText(path, `phrase of the ${role}`)
  keyOfPhrase(phrase)
  return { phrase }
}

async function mustBeAbsent(place: WalletPlace, role: KeyRole): Promise<void> {
  const { secret } = await inspectKey(place, role)
  if (secret === 'absent') return
  const why = role === 'coldkey' ? `wallet '${place.wallet}' has its coldkey` : `it has a hotkey '${place.hotkey}'`
  throw new NodeError('WALLET_EXISTS', {
    what: 'nothing was made',
    why,
    ...(role === 'coldkey' ? { remedy: 'add a hotkey to it with --hotkey-only, or choose another --wallet' } : {}),
  })
}

function tell(flags: NewFlags, io: Io, place: WalletPlace, made: readonly Made[]): void {
  // A terminal forgets; a pipe, a file or a program's log does not, unless it is asked for.
  const isShown = flags['show-mnemonic'] || (!flags.json && io.stdout.isTTY === true)
  if (flags.json) writeJson(io.stdout, jsonOf(place, made, isShown))
  else io.stdout.write(textOf(made, isShown))
  const advice = isShown
    ? 'Write the words down now: whoever has them has the key, and they are not shown again.'
    : 'The phrases are in the key files only; --show-mnemonic prints those of a new wallet.'
  io.stderr.write(`${advice}\n`)
}

function jsonOf({ wallet, hotkey }: WalletPlace, made: readonly Made[], isShown: boolean): object {
  const keys = made.map(([role, { publicKey, path, phrase }]) => {
    const mnemonic = isShown ? { mnemonic: phrase } : {}
    return [role, { address: toSs58(toHex(publicKey)), publicKey: toHex(publicKey), path, ...mnemonic }]
  })
  return { wallet, hotkey, keys: Object.fromEntries(keys) }
}

function textOf(made: readonly Made[], isShown: boolean): string {
  const lines = made.flatMap(([role, { publicKey, path, phrase }]) => {
    const line = `${role.padEnd(8)} ${toSs58(toHex(publicKey))}  ${printable(path)}`
    return isShown ? [line, `         ${phrase}`] : [line]
  })
  return `${lines.join('\n')}\n`
}
