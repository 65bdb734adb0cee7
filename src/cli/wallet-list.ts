/** `wheelwright wallet list`: every wallet of a directory, its hotkeys, their addresses, and what is wrong with them. */
import { inspectKey, listWallets } from '../chain/wallet.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'
import { stateJson, stateText, walletDirOf } from './wallet-open.ts'
import type { WALLET_DIR_FLAG } from './wallet-table.ts'

export async function run(flags: FlagValues<typeof WALLET_DIR_FLAG>, io: Io): Promise<void> {
  const dir = walletDirOf(flags)
  const wallets = await listWallets(dir)
  if (wallets.length === 0 && !flags.json) {
    io.stderr.write(`there are no wallets in ${printable(dir)}; \`wheelwright wallet new\` makes one\n`)
  }
  for (const { wallet, hotkeys } of wallets) {
    // The coldkey's path does not depend on the hotkey.
    const coldkey = await inspectKey({ dir, wallet, hotkey: 'default' }, 'coldkey')
    const states = await Promise.all(
      hotkeys.map(async (hotkey) => ({ hotkey, state: await inspectKey({ dir, wallet, hotkey }, 'hotkey') })),
    )
    if (flags.json) {
      const list = states.map(({ hotkey, state }) => ({ name: hotkey, ...stateJson(state) }))
      writeJson(io.stdout, { wallet, coldkey: stateJson(coldkey), hotkeys: list })
      continue
    }
    const lines = [wallet, `  coldkey            ${stateText(coldkey)}`]
    for (const { hotkey, state } of states) lines.push(`  hotkey ${hotkey.padEnd(11)} ${stateText(state)}`)
    io.stdout.write(`${lines.map(printable).join('\n')}\n`)
  }
}
