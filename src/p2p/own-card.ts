/** Our own card, for whoever asks: sealed when it is needed, and again when it has aged or we have moved. */
import type { Clock, Network as Gossip } from '../ports.ts'
import type { Network } from '../protocol/constitution.ts'
import { type CardKeys, openCard, type PeerCard, sealCard } from '../protocol/peer-card.ts'
import { Flaw } from '../protocol/schema.ts'
import type { Census, Directory } from './directory.ts'

export type OwnCardOptions = { readonly network: Network; readonly cardBlocksMax: number }
export type OwnCardDeps = {
  readonly keys: CardKeys
  readonly self: () => Gossip['self']
  readonly census: Pick<Census, 'block'>
  readonly clock: Pick<Clock, 'now'>
  /** Remembers what was shown in an earlier run. */
  readonly directory?: Pick<Directory, 'sequenceOf'>
}
export type OwnCard = {
  readonly bytes: () => Uint8Array
  /** A card that this node has said: true when it is the one to show from now on, which an older one is not. */
  readonly said: (bytes: Uint8Array) => boolean
}

export function createOwnCard(
  { network, cardBlocksMax }: OwnCardOptions,
  { keys, self, census, clock, directory }: OwnCardDeps,
): OwnCard {
  let shown: { readonly card: PeerCard; readonly bytes: Uint8Array } | null = null
  const lastSequence = (): number => Math.max(shown?.card.sequence ?? -1, directory?.sequenceOf(keys.hotkey) ?? -1)
  const said = (bytes: Uint8Array): boolean => {
    const opened = openCard(bytes)
    if (opened instanceof Flaw || opened.envelope.hotkey !== keys.hotkey) return false
    if (opened.card.sequence < lastSequence()) return false
    shown = { card: opened.card, bytes }
    return true
  }
  const isGood = ({ expires, peerId, addresses }: PeerCard): boolean => {
    const now = self()
    const isHere = peerId === now.peerId && addresses.join() === now.addresses.join()
    return isHere && expires >= census.block() + cardBlocksMax / 2
  }
  return {
    said,
    bytes: () => {
      if (shown !== null && isGood(shown.card)) return shown.bytes
      // Less than what is allowed: whoever judges it may have seen fewer blocks.
      const expires = census.block() + Math.floor((cardBlocksMax * 3) / 4)
      // A clock may have been set back, and an older card counts nowhere.
      const sequence = Math.max(Math.floor(clock.now()), lastSequence() + 1)
      const card = { ...self(), expires, sequence }
      const bytes = sealCard(network, keys, 0, card)
      shown = { card: { ...card, proof: new Uint8Array() }, bytes }
      return bytes
    },
  }
}
