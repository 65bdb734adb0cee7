/** What flags of commands that meet peers mean: lists of addresses, and the network that a subnet is. */
import { NodeError } from '../errors.ts'
import type { AdmissionLists } from '../p2p/admission.ts'
import { constitutionCid } from '../protocol/constitution.ts'
import { readConstitution } from './constitution-check.ts'
import type { Io } from './io.ts'
import type { Passport, PassportChoice } from './membership.ts'

export const listOf = (text: string): readonly string[] => text.split(',').filter((part) => part !== '')

/** Whom an operator lets in, and whom not. */
export const listsOf = ({ allow, deny }: { readonly allow: string; readonly deny: string }): AdmissionLists => ({
  allow: new Set(listOf(allow)),
  deny: new Set(listOf(deny)),
})

const CID_TEXT = /^b[a-z2-7]{58}$/

/** A constitution in a file, or its CID. */
export async function networkNamed(subnet: string | undefined): Promise<string> {
  if (subnet === undefined) {
    throw new NodeError('USAGE', {
      what: '--subnet is missing',
      why: 'peers of different rules never meet, so a peer is of one network',
      remedy: 'name a constitution: --subnet subnet.json, or its CID',
    })
  }
  return CID_TEXT.test(subnet) ? subnet : constitutionCid(await readConstitution(subnet))
}

/** A card for a peer that lives as long as a command; `null` where no wallet is named, and then no chain is asked either. */
export async function withPassportOf<T>(
  flags: PassportChoice,
  io: Io,
  work: (passport: Passport | null) => Promise<T>,
): Promise<T> {
  if (flags.wallet === undefined && flags.hotkey === undefined) return work(null)
  const { withPassport } = await import('./membership.ts')
  return withPassport(flags, io, work)
}
