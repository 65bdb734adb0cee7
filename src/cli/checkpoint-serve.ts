/** `wheelwright checkpoint serve`: gives the store to peers, over our protocol and over bitswap, until Ctrl-C. */
import { join } from 'node:path'
import { openPeerKey } from '../chain/peer-key.ts'
import { type AdmissionLists, createListed } from '../p2p/admission.ts'
import { type Members, openMembers } from '../p2p/members.ts'
import { startPublicPeer } from '../p2p/public.ts'
import type { Store } from '../p2p/store/index.ts'
import { type OpenedStore, withStore } from './checkpoint-open.ts'
import type { SERVE_FLAGS } from './checkpoint-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'
import { listOf, listsOf } from './peer-flags.ts'
import { bytesText } from './progress.ts'
import { CLOCK, SILENT } from './system.ts'

type ServeFlags = FlagValues<typeof SERVE_FLAGS>

export async function run(flags: ServeFlags, io: Io): Promise<void> {
  const lists = listsOf(flags)
  const work = async ({ store }: OpenedStore): Promise<void> => {
    if (flags.admit === 'anyone') return serve(flags, io, { store, lists })
    // The chain's client takes a while to load.
    const { withMembership } = await import('./membership.ts')
    const path = join(flags.dir, 'cards.json')
    await withMembership(flags, io, async (rules) => {
      const deps = { clock: CLOCK, log: SILENT }
      const members = await openMembers(
        { ...rules, ...lists, keys: null, path },
        { privateAllowed: flags.private },
        deps,
      )
      await serve(flags, io, { store, lists, members }).finally(() => members.close())
    })
  }
  await withStore(flags, work, { json: flags.json, io })
}

type Serving = {
  readonly store: Store
  readonly lists: AdmissionLists
  readonly members?: Members
}

async function serve(flags: ServeFlags, io: Io, { store, lists, members }: Serving): Promise<void> {
  const { json, dir } = flags
  const { secret } = await openPeerKey(join(dir, 'peer.key'))
  const peer = await startPublicPeer(
    {
      secret,
      listen: listOf(flags.listen),
      announce: listOf(flags.announce),
      privateAllowed: flags.private,
      admission: members?.admission ?? createListed(lists),
    },
    { store, clock: CLOCK, log: SILENT, ...(members === undefined ? {} : { members }) },
  )
  const peerId = peer.host.peerId.toString()
  const addrs = peer.host.getMultiaddrs().map(String)
  if (json) writeJson(io.stdout, { peerId, addrs })
  else {
    const lines = addrs.map((address) => `  ${address}\n`).join('')
    const whom = members === undefined ? '' : ' to members of the subnet'
    io.stdout.write(
      `serving ${bytesText(store.usedBytes())} from ${printable(dir)}${whom}; others fetch with --from\n${lines}`,
    )
  }
  if (!io.signal.aborted) await new Promise((resolve) => io.signal.addEventListener('abort', resolve, { once: true }))
  await peer.stop()
}
