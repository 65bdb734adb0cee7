/**
 * Which blocks are wanted, who has them, and what to ask a peer for next. No waiting here, and no bytes.
 *
 * Rarest first, and among the equally rare those that are ours: when several peers fetch the same file, each piece falls to
 * one of them by a hash that all compute alike, and the others would rather have it from there. So the only seed sends
 * little more than one copy. Who has done its own helps the others from the far end of theirs.
 */
import type { CID } from 'multiformats/cid'
import type { Child } from './file-node.ts'
import { GET_CIDS_MAX, PIECE_BYTES } from './limits.ts'
import type { Bounds } from './wire.ts'

export type Block = {
  /** Its place in the plan. */
  readonly index: number
  readonly cid: CID
  readonly bounds: Bounds
  /** For a node: what its parent said. `null` for the root, and for what is no node. */
  readonly place: Child | null
  /** Who has not the root is of no use. */
  readonly isRoot: boolean
  isHere: boolean
  holders: number
}

/** Consecutive blocks that are asked for together. */
export type Piece = {
  readonly blocks: readonly Block[]
  /** How many of them are not here yet. */
  missing: number
  readonly bytes: number
  readonly hash: number
  /** For each peer that was asked and has not answered, the way to give it up. */
  readonly askers: Map<string, () => void>
  /** When it was asked for last, and when the last byte of it came. */
  askedMs: number
  heardMs: number
}

/** A piece that was asked for already comes after all others. */
const AGAIN = 1_000_000

/** What a peer said of a block. `broken`: it said yes, and then had it not; it is not believed again. */
const [UNKNOWN, YES, NO, BROKEN] = [0, 1, 2, 3] as const
type Claim = typeof UNKNOWN | typeof YES | typeof NO | typeof BROKEN

/** What one peer has of a plan. */
export type Holdings = {
  readonly peerId: string
  readonly weight: number
  readonly claims: Map<number, Claim>
  /** It said of something that it has it not: it fetches the same as we do. */
  isPartial: boolean
  /** Where the next question goes on, when there is more to ask than one question holds. */
  cursor: number
  /** Nothing more was to be asked when the plan had so many blocks. */
  settledAt: number
}

export const createHoldings = (peerId: string): Holdings => ({
  peerId,
  weight: textHash(peerId),
  claims: new Map(),
  isPartial: false,
  cursor: 0,
  settledAt: 0,
})

export type Wanted = Pick<Block, 'cid' | 'bounds' | 'place' | 'isRoot'>
export type PickRules = {
  /** Whether a piece that somebody was asked for may be asked for once more. */
  readonly again: (piece: Piece) => boolean
  /** Asks who has everything for our share alone, and leaves the rest to those who fetch the same. */
  readonly spared: boolean
}
export type Plan = {
  readonly blocks: readonly Block[]
  /** Adds what is not here, in pieces of at most `PIECE_BYTES`. */
  add(wanted: readonly Wanted[]): void
  arrived(block: Block): void
  /** True when nothing is wanted. */
  isDone(): boolean
  claim(holdings: Holdings, block: Block, has: boolean): void
  forget(holdings: Holdings): void
  /** The best piece to ask this peer for, with the blocks that it has, or null. */
  pick(holdings: Holdings, rules: PickRules): { readonly piece: Piece; readonly blocks: readonly Block[] } | null
  /** What to ask the peer about: at most so many wanted blocks, first those it was never asked about. */
  unknown(holdings: Holdings, max: number): readonly Block[]
  /** Who else fetches the same, so that the pieces are shared out anew. */
  share(others: readonly Holdings[]): void
}

type State = {
  readonly own: number
  readonly blocks: Block[]
  /** Pieces of which something is missing. */
  readonly open: Piece[]
  /** By the place of a block. */
  readonly pieceOf: Piece[]
  others: readonly Holdings[]
}

export function createPlan(self: string): Plan {
  const state: State = { own: textHash(self), blocks: [], open: [], pieceOf: [], others: [] }
  const { blocks, open, pieceOf } = state
  return {
    blocks,
    add: (wanted) => {
      const added = wanted.map((block, i) => ({ ...block, index: blocks.length + i, isHere: false, holders: 0 }))
      for (const block of added) blocks.push(block)
      for (const piece of piecesOf(added)) {
        open.push(piece)
        for (const { index } of piece.blocks) pieceOf[index] = piece
      }
    },
    arrived: (block) => {
      const piece = pieceOf[block.index]
      if (block.isHere || piece === undefined) return
      block.isHere = true
      piece.missing -= 1
      if (piece.missing > 0) return
      open.splice(open.indexOf(piece), 1)
      // Whoever else was asked for it would only send it once more.
      for (const giveUp of piece.askers.values()) giveUp()
    },
    isDone: () => open.length === 0,
    claim: (holdings, block, has) => {
      const before = claimOf(holdings, block)
      if (!has) holdings.settledAt = 0
      if (before !== BROKEN) setClaim(holdings, block, has ? YES : before === YES ? BROKEN : NO)
    },
    forget: (holdings) => {
      for (const block of blocks) if (claimOf(holdings, block) === YES) block.holders -= 1
      holdings.claims.clear()
    },
    pick: (holdings, rules) => pick(state, holdings, rules),
    unknown: (holdings, max) => unknown(state, holdings, max),
    share: (peers) => {
      state.others = peers
    },
  }
}

const claimOf = (holdings: Holdings, { index }: Block): Claim => holdings.claims.get(index) ?? UNKNOWN

function setClaim(holdings: Holdings, block: Block, claim: Claim): void {
  block.holders += Number(claim === YES) - Number(claimOf(holdings, block) === YES)
  holdings.claims.set(block.index, claim)
}

/** Asked for without a question before: the root, the nodes, and a file that is a single piece. */
const isGuessed = ({ open }: State, { isRoot, place }: Block): boolean => isRoot || place !== null || open.length === 1

const isHolding = (state: State, holdings: Holdings, block: Block): boolean => {
  const claim = claimOf(holdings, block)
  return claim === YES || (claim === UNKNOWN && isGuessed(state, block))
}

function pick(state: State, holdings: Holdings, { again, spared }: PickRules): ReturnType<Plan['pick']> {
  const isSparing = spared && !holdings.isPartial
  let best: Piece | null = null
  let least = Number.POSITIVE_INFINITY
  for (const piece of state.open) {
    if (piece.askers.size > 0 && (piece.askers.has(holdings.peerId) || !again(piece))) continue
    let rarity = -1
    for (const block of piece.blocks) {
      if (!block.isHere && isHolding(state, holdings, block)) rarity = Math.max(rarity, block.holders)
    }
    const turn = turnOf(state, piece)
    const score = piece.askers.size * AGAIN + rarity * 4 + turn
    if (rarity < 0 || score >= least) continue
    if (isSparing && (turn >= 1 || isElsewhere(state, piece))) continue
    least = score
    best = piece
  }
  if (best === null) return null
  const piece: Piece = best
  return { piece, blocks: piece.blocks.filter((block) => !block.isHere && isHolding(state, holdings, block)) }
}

/** Below one for ours, in an order that is ours alone; else above one, what its owner comes to last first. */
function turnOf({ own, others }: State, { hash }: Piece): number {
  const ours = share(own, hash)
  let least = 1
  for (const { weight } of others) least = Math.min(least, share(weight, hash))
  return ours <= least ? ours : 2 - least
}

/** Somebody who fetches the same has it already. */
const isElsewhere = ({ others }: State, { blocks }: Piece): boolean =>
  others.some((other) => blocks.every((block) => block.isHere || claimOf(other, block) === YES))

function unknown(state: State, holdings: Holdings, max: number): readonly Block[] {
  const { open, blocks } = state
  // Asked after every change, and of a peer that has all of it there is nothing to say.
  if (holdings.settledAt === blocks.length) return []
  const wanted = open.flatMap((piece) => piece.blocks.filter((block) => !block.isHere))
  if (wanted.every((block) => claimOf(holdings, block) === YES)) holdings.settledAt = blocks.length
  const unsaid = wanted.filter((block) => claimOf(holdings, block) === UNKNOWN && !isGuessed(state, block))
  if (unsaid.length >= max) return unsaid.slice(0, max)
  const lacking = wanted.filter((block) => claimOf(holdings, block) === NO)
  const from = lacking.length === 0 ? 0 : holdings.cursor % lacking.length
  holdings.cursor = from + max
  return [...unsaid, ...lacking.slice(from), ...lacking.slice(0, from)].slice(0, max)
}

function piecesOf(blocks: readonly Block[]): readonly Piece[] {
  const groups: Block[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const block of blocks) {
    bytes += block.bounds.bytesMax
    const group = groups.at(-1)
    if (group === undefined || bytes > PIECE_BYTES || group.length === GET_CIDS_MAX) {
      groups.push([block])
      bytes = block.bounds.bytesMax
    } else group.push(block)
  }
  return groups.map((group) => ({
    blocks: group,
    missing: group.length,
    bytes: group.reduce((sum, { bounds }) => sum + bounds.bytesMax, 0),
    hash: digestHash(group[0]?.cid.multihash.digest ?? new Uint8Array(4)),
    askers: new Map(),
    askedMs: 0,
    heardMs: 0,
  }))
}

/** 32 bits of a name, well mixed. Chosen names change who fetches what first, and nothing else. */
function textHash(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

const digestHash = (digest: Uint8Array): number => new DataView(digest.buffer, digest.byteOffset, 4).getUint32(0)

/** 0 ≤ x < 1: the claim of a peer on a piece; the least one owns it. */
function share(peer: number, piece: number): number {
  let mixed = Math.imul(peer ^ piece, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32
}
