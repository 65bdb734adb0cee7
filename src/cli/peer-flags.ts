/** What flags of commands that meet peers mean: lists of addresses, and the network that a subnet is. */
import { NodeError } from '../errors.ts'
import { constitutionCid } from '../protocol/constitution.ts'
import { readConstitution } from './constitution-check.ts'

export const listOf = (text: string): readonly string[] => text.split(',').filter((part) => part !== '')

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
