/**
 * Pulses of the drand beacon, which open what was encrypted to their rounds.
 *
 * On subtensor a worker of every node fetches them and nobody signs for them. Here the development key writes them (and
 * root): a beacon made up for a test is as good as the real one, so their signatures are not verified.
 */
import { hexBytes, utf8 } from '../../../util/bytes.ts'
import { QUICKNET } from '../../tlock.ts'
import { type Context, type Fields, item, need, type Origin, optional, type Pallet, type TypeTable } from '../define.ts'
import { refuse } from '../dispatch-error.ts'
import { SudoKey } from './sudo.ts'
import { requireRoot } from './system.ts'

const P = 'Drand'
/** A week of them. */
const PULSES_KEPT = 216_000n
/** Bounds what one call can cost when rounds were skipped. */
const PRUNED_MAX = 100

/** A drand network: whose pulses count, and what the world encrypts to. */
export type BeaconConfiguration = {
  readonly public_key: Uint8Array
  readonly period: number
  readonly genesis_time: number
  readonly hash: Uint8Array
  readonly group_hash: Uint8Array
  readonly scheme_id: Uint8Array
  readonly metadata: { readonly beacon_id: Uint8Array }
}
const MS = 1000
const QUICKNET_CONFIGURATION: BeaconConfiguration = {
  public_key: hexBytes(QUICKNET.publicKey),
  period: QUICKNET.periodMs / MS,
  genesis_time: QUICKNET.genesisMs / MS,
  hash: hexBytes('52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971'),
  group_hash: hexBytes('f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e'),
  scheme_id: utf8('bls-unchained-g1-rfc9380'),
  metadata: { beacon_id: utf8('quicknet') },
}

export type Pulse = { readonly round: bigint; readonly randomness: Uint8Array; readonly signature: Uint8Array }

export const BeaconConfig = item<[], BeaconConfiguration>(
  P,
  'BeaconConfig',
  '',
  'BeaconConfiguration',
  QUICKNET_CONFIGURATION,
)
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
  BeaconMetadata: { path: 'pallet_drand::types::Metadata', type: '{beacon_id: BoundedVec<u8,32>}' },
  BeaconConfiguration: {
    path: 'pallet_drand::types::BeaconConfiguration',
    type: `{public_key: BoundedVec<u8,96>, period: u32, genesis_time: u32, hash: BoundedVec<u8,32>,
      group_hash: BoundedVec<u8,32>, scheme_id: BoundedVec<u8,32>, metadata: BeaconMetadata}`,
  },
  BeaconConfigurationPayload: {
    path: 'pallet_drand::types::BeaconConfigurationPayload',
    type: '{block_number: u32, config: BeaconConfiguration, public: MultiSigner}',
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

function setBeacon(context: Context, origin: Origin, { config_payload }: Fields): void {
  requireRoot(origin)
  context.set(BeaconConfig, [], (config_payload as { readonly config: BeaconConfiguration }).config)
  context.emit(P, 'BeaconConfigChanged', {})
}

function setOldest(context: Context, origin: Origin, { oldest_round }: Fields): void {
  requireRoot(origin)
  context.set(OldestStoredRound, [], oldest_round as bigint)
  context.emit(P, 'SetOldestStoredRound', { round: oldest_round })
}

export const drand: Pallet = {
  index: 26,
  name: P,
  storage: [BeaconConfig, Pulses, LastStoredRound, OldestStoredRound, NextUnsignedAt],
  calls: [
    {
      index: 0,
      name: 'write_pulse',
      args: 'pulses_payload: PulsesPayload, signature: Option<MultiSignature>',
      paysFee: false,
      run: writePulse,
    },
    {
      index: 1,
      name: 'set_beacon_config',
      args: 'config_payload: BeaconConfigurationPayload, signature: Option<MultiSignature>',
      paysFee: false,
      run: setBeacon,
    },
    { index: 2, name: 'set_oldest_stored_round', args: 'oldest_round: u64', paysFee: true, run: setOldest },
  ],
  events: [
    { index: 0, name: 'BeaconConfigChanged', fields: '' },
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
