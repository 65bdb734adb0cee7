/** `wheelwright wallet show`: one wallet and one hotkey of it; fails when one of them cannot be used. */
import { inspectKey, type KeyRole } from '../chain/wallet.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'
import { placeOf, stateJson, stateText } from './wallet-open.ts'
import type { WALLET_FLAGS } from './wallet-table.ts'

const ROLES: readonly KeyRole[] = ['coldkey', 'hotkey']

export async function run(flags: FlagValues<typeof WALLET_FLAGS>, io: Io): Promise<void> {
  const place = placeOf(flags)
  const [coldkey, hotkey] = [await inspectKey(place, 'coldkey'), await inspectKey(place, 'hotkey')]
  // A node has no need of its coldkey, nor even of the public part: only a wrong one is an error.
  const coldProblem = coldkey.problem?.code === 'WALLET_MISSING' ? null : coldkey.problem
  const problem = hotkey.problem ?? coldProblem
  if (problem !== null) throw problem
  const states = { coldkey: { ...coldkey, problem: coldProblem }, hotkey }
  if (flags.json) {
    const { wallet } = place
    return writeJson(io.stdout, {
      wallet,
      hotkeyName: place.hotkey,
      coldkey: stateJson(states.coldkey),
      hotkey: stateJson(hotkey),
    })
  }
  io.stdout.write(`wallet '${printable(place.wallet)}', hotkey '${printable(place.hotkey)}'\n`)
  for (const role of ROLES) io.stdout.write(`  ${role.padEnd(8)} ${printable(stateText(states[role]))}\n`)
}
