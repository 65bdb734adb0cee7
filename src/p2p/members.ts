/**
 * A host among members of a subnet: whose peers are registered, by the cards that are heard, and what follows from that for
 * who may connect and what is stored for others.
 */
import type { Libp2p } from '@libp2p/interface'
import type { Clock, Network as Gossip, Log } from '../ports.ts'
import type { Network } from '../protocol/constitution.ts'
import type { Verify } from '../protocol/envelope.ts'
import type { CardKeys } from '../protocol/peer-card.ts'
import { type Admission, type AdmissionLists, createAdmission } from './admission.ts'
import { type Census, type Directory, openDirectory } from './directory.ts'
import { type Door, keepDoor } from './door.ts'
import { speakHello } from './hello.ts'
import { createKnocks } from './knocks.ts'
import { RECORDS_BURST, RECORDS_PER_SECOND } from './limits.ts'
import { createOwnCard, type OwnCard } from './own-card.ts'
import { defer } from './pull/wait.ts'
import { createRates } from './rate.ts'
import { type RecordRules, recordRules } from './table.ts'

export type Membership = AdmissionLists & {
  readonly network: Network
  /** The constitution's `limits.cardBlocks`. */
  readonly cardBlocksMax: number
  readonly census: Census
  readonly verify: Verify
  /** `null` for a host that shows no card. */
  readonly keys: CardKeys | null
  /** Where cards outlive the process; `null` where they need not. */
  readonly path: string | null
}

export type Members = {
  readonly directory: Directory
  readonly admission: Admission
  readonly records: RecordRules
  /** For the host that has this admission: from now on strangers are asked for their cards, and until then they wait. */
  readonly guard: (host: Libp2p, self: () => Gossip['self']) => Promise<Guard>
  readonly close: () => Promise<void>
}
export type Guard = { readonly own: OwnCard | null; readonly close: () => Promise<void> }

export async function openMembers(
  { allow, deny, keys, ...membership }: Membership,
  { privateAllowed }: { readonly privateAllowed: boolean },
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<Members> {
  const directory = await openDirectory({ ...membership, privateAllowed }, { ...membership, clock, log })
  const knocks = createKnocks(privateAllowed, clock)
  const isKnown = (peerId: string): boolean => directory.hotkeyOf(peerId) !== null
  const kept = defer<Door>()
  const admission: Admission = {
    ...createAdmission({ allow, deny }, isKnown, knocks),
    stays: async (connection) => (await kept.promise).admit(connection),
  }
  const guard: Members['guard'] = async (host, self) => {
    const own = keys === null ? null : createOwnCard(membership, { ...membership, keys, self, clock, directory })
    const heard = (_: string, card: Uint8Array): void => void directory.take(card)
    const hello = await speakHello({ host, clock, own: () => own?.bytes() ?? null, heard })
    const door = keepDoor({ host, admission, knocks, hello, clock, log })
    kept.resolve(door)
    const close = async (): Promise<void> => {
      door.close()
      await hello.close()
    }
    return { own, close }
  }
  const records = recordRules(
    directory.take,
    createRates({ burst: RECORDS_BURST, perSecond: RECORDS_PER_SECOND }, clock),
  )
  return { directory, admission, records, guard, close: directory.close }
}

/** For a host that admits everybody, and whom others shall know. */
export async function showCard(host: Libp2p, card: Uint8Array, clock: Clock): Promise<void> {
  await speakHello({ host, clock, own: () => card, heard: () => undefined })
}
