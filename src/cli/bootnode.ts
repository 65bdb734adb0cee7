/** `wheelwright bootnode`: an entry peer, until Ctrl-C. */
import { join } from 'node:path'
import { openPeerKey } from '../chain/peer-key.ts'
import { runEntryPeer } from '../p2p/entry.ts'
import type { BOOTNODE_FLAGS } from './bootnode-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, writeJson } from './io.ts'
import { listOf, listsOf, networkNamed } from './peer-flags.ts'
import { CLOCK, SILENT } from './system.ts'

export async function run(flags: FlagValues<typeof BOOTNODE_FLAGS>, io: Io): Promise<void> {
  const { json, dir } = flags
  const network = await networkNamed(flags.subnet)
  const { secret } = await openPeerKey(join(dir, 'peer.key'))
  await runEntryPeer(
    {
      network,
      secret,
      listen: listOf(flags.listen),
      announce: listOf(flags.announce),
      entries: listOf(flags.entry),
      lists: listsOf(flags),
      privateAllowed: flags.private === true,
    },
    {
      clock: CLOCK,
      log: SILENT,
      signal: io.signal,
      started: ({ peerId, addresses }) => {
        if (json) writeJson(io.stdout, { peerId, addrs: addresses, network })
        else io.stdout.write(`an entry peer of ${network}\n${addresses.map((address) => `  ${address}\n`).join('')}`)
      },
    },
  )
}
