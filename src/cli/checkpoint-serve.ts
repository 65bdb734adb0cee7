/** `wheelwright checkpoint serve`: gives the store to peers, over our protocol and over bitswap, until Ctrl-C. */
import { join } from 'node:path'
import { openPeerKey } from '../chain/peer-key.ts'
import { createAdmission } from '../p2p/admission.ts'
import { startPublicPeer } from '../p2p/public.ts'
import { withStore } from './checkpoint-open.ts'
import type { SERVE_FLAGS } from './checkpoint-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'
import { listOf } from './peer-flags.ts'
import { bytesText } from './progress.ts'
import { CLOCK, SILENT } from './system.ts'

export async function run(flags: FlagValues<typeof SERVE_FLAGS>, io: Io): Promise<void> {
  const { json, dir } = flags
  await withStore(flags, async ({ store }) => {
    const { secret } = await openPeerKey(join(dir, 'peer.key'))
    const [allow, deny] = [new Set(listOf(flags.allow)), new Set(listOf(flags.deny))]
    const peer = await startPublicPeer(
      {
        secret,
        listen: listOf(flags.listen),
        announce: listOf(flags.announce),
        privateAllowed: flags.private,
        admission: createAdmission({ allow, deny }, () => allow.size === 0),
      },
      { store, clock: CLOCK, log: SILENT },
    )
    const peerId = peer.host.peerId.toString()
    const addrs = peer.host.getMultiaddrs().map(String)
    if (json) writeJson(io.stdout, { peerId, addrs })
    else {
      const lines = addrs.map((address) => `  ${address}\n`).join('')
      io.stdout.write(
        `serving ${bytesText(store.usedBytes())} from ${printable(dir)}; others fetch with --from\n${lines}`,
      )
    }
    if (!io.signal.aborted) await new Promise((resolve) => io.signal.addEventListener('abort', resolve, { once: true }))
    await peer.stop()
  })
}
