/** `wheelwright bootnode`: an entry peer, until Ctrl-C. */
import { join } from 'node:path'
import { openPeerKey } from '../chain/peer-key.ts'
import { NodeError } from '../errors.ts'
import { startEntryPeer } from '../p2p/entry.ts'
import { constitutionCid } from '../protocol/constitution.ts'
import type { BOOTNODE_FLAGS } from './bootnode-table.ts'
import type { FlagValues } from './command.ts'
import { readConstitution } from './constitution-check.ts'
import { type Io, writeJson } from './io.ts'
import { CLOCK, SILENT } from './system.ts'

export async function run(flags: FlagValues<typeof BOOTNODE_FLAGS>, io: Io): Promise<void> {
  const { json, dir } = flags
  const network = await networkNamed(flags.subnet)
  const { secret } = await openPeerKey(join(dir, 'peer.key'))
  const entry = await startEntryPeer(
    {
      network,
      secret,
      listen: listOf(flags.listen),
      announce: listOf(flags.announce),
      entries: listOf(flags.entry),
      privateAllowed: flags.private === true,
    },
    { clock: CLOCK, log: SILENT },
  )
  const { peerId, addresses } = entry
  if (json) writeJson(io.stdout, { peerId, addrs: addresses, network })
  else io.stdout.write(`an entry peer of ${network}\n${addresses.map((address) => `  ${address}\n`).join('')}`)
  if (!io.signal.aborted) await new Promise((resolve) => io.signal.addEventListener('abort', resolve, { once: true }))
  await entry.stop()
}

const listOf = (text: string): readonly string[] => text.split(',').filter((part) => part !== '')

const CID_TEXT = /^b[a-z2-7]{58}$/

async function networkNamed(subnet: string | undefined): Promise<string> {
  if (subnet === undefined) {
    throw new NodeError('USAGE', {
      what: '--subnet is missing',
      why: 'peers of different rules never meet, so an entry peer is of one network',
      remedy: 'name a constitution: --subnet subnet.json, or its CID',
    })
  }
  return CID_TEXT.test(subnet) ? subnet : constitutionCid(await readConstitution(subnet))
}
