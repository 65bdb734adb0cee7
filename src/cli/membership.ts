/** What commands need to know of a subnet to tell its members from others, and to be told for one. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { NodeError } from '../errors.ts'
import type { Membership } from '../p2p/members.ts'
import { createOwnCard } from '../p2p/own-card.ts'
import { type Constitution, networkOf } from '../protocol/constitution.ts'
import { verifySr25519 } from '../protocol/envelope.ts'
import { peerIdOf } from '../protocol/peer-card.ts'
import { followCensus } from './census.ts'
import { type Opened, withChain } from './chain-open.ts'
import { readConstitution } from './constitution-check.ts'
import type { Io } from './io.ts'
import { CLOCK, RANDOM, SILENT } from './system.ts'
import { openWallet, type WalletChoice } from './wallet-open.ts'

export type SubnetChoice = {
  /** A constitution as JSON. */
  readonly subnet: string | undefined
  /** Where its chain is. */
  readonly network: string
}

/** The rules of the subnet, and who is in it for as long as the work takes. */
export async function withMembership(
  choice: SubnetChoice,
  io: Io,
  work: (rules: Pick<Membership, 'network' | 'cardBlocksMax' | 'census' | 'verify'>) => Promise<void>,
): Promise<void> {
  await withSubnet(choice, io, async (constitution, { chain, signal }) => {
    const census = await followCensus({ chain, clock: CLOCK, log: SILENT }, { signal })
    try {
      const { cardBlocks: cardBlocksMax } = constitution.limits
      await work({ network: networkOf(constitution), cardBlocksMax, census, verify: verifySr25519 })
    } finally {
      census.stop()
    }
  })
}

export type Passport = {
  /** Of the peer that the card is about. */
  readonly secret: Uint8Array
  /** Sealed anew when it has aged: a fetch may take longer than a card counts. */
  readonly card: () => Uint8Array
}

export type PassportChoice = SubnetChoice & Partial<WalletChoice>

/** By the hotkey of a wallet. One hotkey has one peer: while it fetches like this, no node should run with the same one. */
export async function withPassport<T>(
  choice: PassportChoice,
  io: Io,
  work: (passport: Passport) => Promise<T>,
): Promise<T> {
  const { signer, hotkey } = await openWallet(choice, io, 'hotkey')
  return withSubnet(choice, io, (constitution, { chain }) => {
    const secret = RANDOM.bytes(32)
    const keys = { hotkey, sign: signer.sign, prove: (claim: Uint8Array) => ed25519.sign(claim, secret) }
    const place = { peerId: peerIdOf(ed25519.getPublicKey(secret)), addresses: [] }
    const rules = { network: networkOf(constitution), cardBlocksMax: constitution.limits.cardBlocks }
    const census = { block: () => chain.health().finalised?.number ?? 0 }
    const own = createOwnCard(rules, { keys, self: () => place, census, clock: CLOCK })
    return work({ secret, card: own.bytes })
  })
}

async function withSubnet<T>(
  { subnet, network }: SubnetChoice,
  io: Io,
  work: (constitution: Constitution, opened: Opened) => Promise<T>,
): Promise<T> {
  if (subnet === undefined) {
    throw new NodeError('USAGE', {
      what: '--subnet is missing',
      why: 'a card counts in one network, and the rules of that say for how long',
      remedy: 'name its constitution: --subnet subnet.json',
    })
  }
  const constitution = await readConstitution(subnet)
  const { genesis, netuid } = constitution.chain
  return withChain({ network, netuid, json: false }, io, async (opened) => {
    if ((await opened.chain.hashOf(0, io)) === genesis) return work(constitution, opened)
    throw new NodeError('CHAIN_FOREIGN', {
      what: 'the chain is not the one of this subnet',
      why: `its first block is another than ${genesis}, which the constitution names`,
      remedy: 'Check --network, and that --subnet is the constitution of a subnet on that chain.',
    })
  })
}
