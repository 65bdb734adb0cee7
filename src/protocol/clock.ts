/**
 * The phase clock: which cycle and phase a block belongs to, and the blocks whose finalised state decides (protocol §2).
 *
 * A pure function of the height and the constitution. Every node computes it alone; nobody serves it.
 */
import { assert } from '../util/assert.ts'
import type { Constitution } from './constitution.ts'

/** In their order. Each is a field of `windows` in the constitution. */
export const WINDOWS = [
  'distribute',
  'train',
  'commit',
  'reveal',
  'evaluate',
  'report',
  'attest',
  'merge',
  'weigh',
] as const
export type Window = (typeof WINDOWS)[number]

export const PHASES = ['distribute', 'train', 'commit', 'reveal', 'evaluate', 'agree', 'merge', 'weigh'] as const
export type Phase = (typeof PHASES)[number]

/** Agreeing takes two windows on chain: the reports' hashes, then who holds which body. */
export const PHASE_OF: { readonly [W in Window]: Phase } = {
  distribute: 'distribute',
  train: 'train',
  commit: 'commit',
  reveal: 'reveal',
  evaluate: 'evaluate',
  report: 'agree',
  attest: 'agree',
  merge: 'merge',
  weigh: 'weigh',
}

type Clockwork = Pick<Constitution, 'start' | 'windows'>

export function cycleBlocks({ windows }: Pick<Constitution, 'windows'>): number {
  return WINDOWS.reduce((sum, window) => sum + windows[window], 0)
}

export type Moment = {
  readonly cycle: number
  readonly window: Window
  readonly phase: Phase
  /** The last block of the window: what is not in the finalised state there does not exist. */
  readonly lastBlock: number
}

/** `null` before the network's first block. */
export function momentAt(clockwork: Clockwork, block: number): Moment | null {
  assert(Number.isSafeInteger(block), 'a block number is an integer')
  if (block < clockwork.start.block) return null
  const length = cycleBlocks(clockwork)
  const elapsed = block - clockwork.start.block
  const cycle = clockwork.start.cycle + Math.floor(elapsed / length)
  let end = block - (elapsed % length)
  for (const window of WINDOWS) {
    end += clockwork.windows[window]
    if (block < end) return { cycle, window, phase: PHASE_OF[window], lastBlock: end - 1 }
  }
  throw new Error('broken invariant: the windows of a cycle cover it')
}

/** The beacon of the public pool is the second block after the reveal window (protocol §5). */
export const BEACON_BLOCKS = 2

/** The blocks of one cycle whose finalised state all peers read. A, B and D are the deadlines of protocol §6. */
export type Deadlines = {
  readonly cycle: number
  /** The first block: the snapshot of who counts. */
  readonly first: number
  /** A commitment that is not in the state here does not exist. */
  readonly commit: number
  /** Shards are opened once this block is final; its hash draws the seats. */
  readonly reveal: number
  readonly evaluate: number
  /** A: the hashes of the reports. */
  readonly report: number
  /** B: who holds which report. */
  readonly attest: number
  /** D: the digests of the new root. */
  readonly merge: number
  /** The last block of the cycle: weights have landed. */
  readonly last: number
}

export function deadlinesOf(clockwork: Clockwork, cycle: number): Deadlines {
  assert(Number.isSafeInteger(cycle), 'a cycle is an integer')
  assert(cycle >= clockwork.start.cycle, 'these rules hold from their first cycle on')
  const first = clockwork.start.block + (cycle - clockwork.start.cycle) * cycleBlocks(clockwork)
  const { distribute, train, commit, reveal, evaluate, report, attest, merge, weigh } = clockwork.windows
  const commitLast = first + distribute + train + commit - 1
  const revealLast = commitLast + reveal
  const evaluateLast = revealLast + evaluate
  const reportLast = evaluateLast + report
  const attestLast = reportLast + attest
  const mergeLast = attestLast + merge
  return {
    cycle,
    first,
    commit: commitLast,
    reveal: revealLast,
    evaluate: evaluateLast,
    report: reportLast,
    attest: attestLast,
    merge: mergeLast,
    last: mergeLast + weigh,
  }
}
