/**
 * Pulses of the drand beacon, which open what was encrypted to their rounds.
 *
 * On subtensor a worker of every node fetches them and nobody signs for them. Here the development key writes them (and
 * root): a beacon made up for a test is as good as the real one, so their signatures are not verified.
 */
import { type Context, type Fields, item, need, type Origin, optional, type Pallet, type TypeTable } from '../define.ts'
import { refuse } from '../dispatch-error.ts'
import { SudoKey } from './sudo.ts'
import { requireRoot } from './system.ts'

const P = 'Drand'
/** A week of them. */
const PULSES_KEPT = 216_000n
/** Bounds what one call can cost when rounds were skipped. */
const PRUNED_MAX = 100

export type Pulse = { readonly round: bigint; readonly randomness: Uint8Array; readonly signature: Uint8Array }

export const Pulses = optional<[round: bigint], Pulse>(P, 'Pulses', 'Blake2_128Concat u64', 'Pulse')
export const LastStoredRound = item<[], bigint>(P, 'LastStoredRound', '', 'u64', 0n)
export const OldestStoredRound = item<[], bigint>(P, 'OldestStoredRound', '', 'u64', 0n)
const NextUnsignedAt = item<[], number>(P, 'NextUnsignedAt', '', 'u32', 0)

export const DRAND_TYPES: TypeTable = {
  Pulse: {
    path: 'pallet_drand::types::Pulse',
    type: '{round: u64, randomness: BoundedVec<u8,32>, signature: BoundedVec<u8,144>}',
  },
  PulsesPayload: {
    path: 'pallet_drand::types::PulsesPayload',
    type: '{block_number: u32, pulses: Vec<Pulse>, public: MultiSigner}',
  },
  MultiSigner: {
    path: 'sp_runtime::MultiSigner',
    type: 'enum {0 Ed25519([u8;32]), 1 Sr25519([u8;32]), 2 Ecdsa([u8;33])}',
  },
}

function requireWriter(context: Context, origin: Origin): void {
  if (origin.kind === 'signed' && origin.account !== context.get(SudoKey)) throw refuse('BadOrigin')
}

function writePulse(context: Context, origin: Origin, { pulses_payload }: Fields): void {
  requireWriter(context, origin)
  const { pulses } = pulses_payload as { readonly pulses: readonly Pulse[] }
  let last = context.get(LastStoredRound)
  for (const pulse of pulses) {
    need(pulse.round > last, P, 'InvalidRoundNumber')
    if (last === 0n && context.get(OldestStoredRound) === 0n) context.set(OldestStoredRound, [], pulse.round)
    context.set(Pulses, [pulse.round], pulse)
    last = pulse.round
  }
  context.set(LastStoredRound, [], last)
  context.set(NextUnsignedAt, [], context.block)
  prune(context, last)
  if (pulses.length > 0) context.emit(P, 'NewPulse', { rounds: pulses.map(({ round }) => round) })
}

function prune(context: Context, last: bigint): void {
  let oldest = context.get(OldestStoredRound)
  if (oldest === 0n) return
  for (let i = 0; i < PRUNED_MAX && last - oldest >= PULSES_KEPT; i++, oldest++) context.remove(Pulses, [oldest])
  context.set(OldestStoredRound, [], oldest)
}

function setOldest(context: Context, origin: Origin, { oldest_round }: Fields): void {
  requireRoot(origin)
  context.set(OldestStoredRound, [], oldest_round as bigint)
  context.emit(P, 'SetOldestStoredRound', { round: oldest_round })
}

export const drand: Pallet = {
  index: 26,
  name: P,
  storage: [Pulses, LastStoredRound, OldestStoredRound, NextUnsignedAt],
  calls: [
    {
      index: 0,
      name: 'write_pulse',
      args: 'pulses_payload: PulsesPayload, signature: Option<MultiSignature>',
      paysFee: false,
      run: writePulse,
    },
    { index: 2, name: 'set_oldest_stored_round', args: 'oldest_round: u64', paysFee: true, run: setOldest },
  ],
  events: [
    { index: 1, name: 'NewPulse', fields: 'rounds: Vec<u64>' },
    { index: 2, name: 'SetOldestStoredRound', fields: 'u64' },
  ],
  errors: [
    'NoneValue',
    'StorageOverflow',
    'DrandConnectionFailure',
    'UnverifiedPulse',
    'InvalidRoundNumber',
    'PulseVerificationError',
  ].map((name, index) => ({ index, name })),
  constants: [],
}
