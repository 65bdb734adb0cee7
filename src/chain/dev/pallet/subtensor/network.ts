/** A subnet comes into the world: its owner locks TAO that becomes its market, and later starts its emission. */
import { utf8 } from '../../../../util/bytes.ts'
import type { CallSpec, Context, Fields, Origin } from '../../define.ts'
import { freeBalance, transfer } from '../balances.ts'
import { signer } from '../system.ts'
import { lendFromRoot } from './children.ts'
import { must, PALLET } from './error.ts'
import { less, max } from './fixed-point.ts'
import { type Guard, signed } from './guard.ts'
import { requireOwner } from './owner.ts'
import { appendNeuron, claimHotkey } from './registration.ts'
import * as s from './storage.ts'
import { exists, isOver, NO_ACCOUNT, netuids, now, ROOT, subnetAccount, type View } from './subnet.ts'

const DYNAMIC = 1
/** By netuid; whoever comes later has the default. */
const SYMBOLS = 'Ταβγδεζηθικλμνξοπρσtυφχψωאבגדהוזחט'
const LAST_REGISTERED = { type: 'NetworkLastRegistered', value: null } as const

/** Twice what the last subnet paid, falling to the minimum. */
export function lockCost(view: View): bigint {
  const last = view.get(s.NetworkLastLockCost)
  const lastBlock = view.get(s.LastRateLimitedBlock, LAST_REGISTERED)
  const interval = view.get(s.NetworkLockReductionInterval)
  const fallen = interval === 0n ? 0n : (last / interval) * (now(view) - lastBlock)
  return max(less(last * (lastBlock === 0n ? 1n : 2n), fallen), view.get(s.NetworkMinLockCost))
}

const inTime: Guard = (context) => {
  const last = context.get(s.LastRateLimitedBlock, LAST_REGISTERED)
  must(isOver(context, last, context.get(s.NetworkRateLimit)), 'NetworkTxRateLimitExceeded')
}

function register(context: Context, coldkey: string, args: Fields): void {
  const hotkey = args['hotkey'] as string
  const holder = context.get(s.Owner, hotkey)
  must(holder === NO_ACCOUNT || holder === coldkey, 'NonAssociatedColdKey')
  must(now(context) >= context.get(s.NetworkRegistrationStartBlock), 'SubNetRegistrationDisabled')
  const known = netuids(context)
  // A full chain prunes its worst subnet on subtensor; here it is full.
  must(known.filter((netuid) => netuid !== ROOT).length < context.get(s.SubnetLimit), 'SubnetLimitReached')
  const cost = lockCost(context)
  must(freeBalance(context, coldkey) >= cost, 'CannotAffordLockCost')

  const netuid = nextNetuid(context)
  addNetwork(context, netuid, s.Tempo.fallback)
  transfer(context, coldkey, subnetAccount(netuid), cost, false)
  context.set(s.NetworkLastLockCost, [], cost)
  context.set(s.LastRateLimitedBlock, [LAST_REGISTERED], now(context))
  context.set(s.SubnetLocked, [netuid], cost)
  giveTo(context, netuid, { coldkey, hotkey })
  openMarket(context, netuid, max(cost, context.get(s.NetworkMinLockCost)))
  lendFromRoot(context, netuid)
  context.emit(PALLET, 'NetworkAdded', { netuid, mechanism: DYNAMIC })
  // New subnets get no TAO from the chain until the root turns it on.
  context.set(s.SubnetEmissionEnabled, [netuid], false)
}

export function nextNetuid(view: View): number {
  let netuid = ROOT + 1
  while (exists(view, netuid)) netuid++
  return netuid
}

/** With the parameters of a new subnet, which are not the defaults of the storage. */
export function addNetwork(context: Context, netuid: number, tempo: number): void {
  context.set(s.SubnetworkN, [netuid], 0)
  context.set(s.NetworksAdded, [netuid], true)
  context.set(s.Tempo, [netuid], tempo)
  // Subnets do not all have their epochs in the same block.
  context.set(s.LastEpochBlock, [netuid], less(now(context), BigInt(netuid % Math.max(tempo, 1))))
  context.set(s.TotalNetworks, [], context.get(s.TotalNetworks) + 1)
  context.set(s.NetworkRegistrationAllowed, [netuid], true)
  context.set(s.MaxAllowedUids, [netuid], 256)
  context.set(s.MaxAllowedValidators, [netuid], 64)
  context.set(s.MinAllowedWeights, [netuid], 1)
  context.set(s.ImmunityPeriod, [netuid], 5000)
  context.set(s.Yuma3On, [netuid], true)
  context.set(s.Burn, [netuid], 10n ** 9n)
  context.set(s.SubnetMechanism, [netuid], DYNAMIC)
  const symbol = SYMBOLS[netuid]
  if (symbol !== undefined) context.set(s.TokenSymbol, [netuid], utf8(symbol))
  context.set(s.NetworkRegisteredAt, [netuid], now(context))
  context.set(s.RegisteredSubnetCounter, [netuid], context.get(s.RegisteredSubnetCounter, netuid) + 1n)
}

export type Pair = { readonly coldkey: string; readonly hotkey: string }

/** The owner's hotkey is its subnet's first neuron. */
export function giveTo(context: Context, netuid: number, { coldkey, hotkey }: Pair): void {
  claimHotkey(context, coldkey, hotkey)
  appendNeuron(context, netuid, hotkey)
  context.set(s.SubnetOwner, [netuid], coldkey)
  context.set(s.SubnetOwnerHotkey, [netuid], hotkey)
  context.emit(PALLET, 'SubnetOwnerHotkeySet', { netuid, hotkey })
}

/**
 * One TAO for one alpha. On subtensor a new subnet starts at the median price of the others, which on a chain of few
 * subnets is about that.
 */
export function openMarket(context: Context, netuid: number, tao: bigint): void {
  context.set(s.SubnetTAO, [netuid], tao)
  context.set(s.SubnetAlphaIn, [netuid], tao)
  context.set(s.TotalStake, [], context.get(s.TotalStake) + tao)
}

function start(context: Context, origin: Origin, args: Fields): void {
  const netuid = args['netuid'] as number
  signer(origin)
  must(exists(context, netuid), 'SubnetNotExists')
  requireOwner(context, origin, netuid)
  must(context.get(s.FirstEmissionBlockNumber, netuid) === null, 'FirstEmissionBlockNumberAlreadySet')
  const since = now(context) - context.get(s.NetworkRegisteredAt, netuid)
  must(since >= context.get(s.StartCallDelay), 'NeedWaitingMoreBlocksToStarCall')
  startEmission(context, netuid)
}

export function startEmission(context: Context, netuid: number): void {
  const block = now(context) + 1n
  context.set(s.FirstEmissionBlockNumber, [netuid], block)
  context.set(s.SubtokenEnabled, [netuid], true)
  context.emit(PALLET, 'FirstEmissionBlockNumberSet', { netuid, block })
}

/** The longest that each field of a subnet's identity may be, in bytes. */
const IDENTITY_BYTES_MAX: { readonly [field: string]: number } = {
  subnet_name: 256,
  github_repo: 1024,
  subnet_contact: 1024,
  subnet_url: 1024,
  discord: 256,
  description: 1024,
  logo_url: 1024,
  additional: 1024,
}

function describe(context: Context, who: string, args: Fields): void {
  const { netuid, ...identity } = args as { readonly netuid: number } & { readonly [field: string]: Uint8Array }
  must(context.get(s.SubnetOwner, netuid) === who, 'NotSubnetOwner')
  const fits = Object.entries(IDENTITY_BYTES_MAX).every(([field, max]) => (identity[field]?.length ?? 0) <= max)
  must(fits, 'InvalidIdentity')
  context.set(s.SubnetIdentitiesV3, [netuid], identity)
  context.emit(PALLET, 'SubnetIdentitySet', { netuid })
}

const IDENTITY_ARGS = Object.keys(IDENTITY_BYTES_MAX).map((field) => `${field}: Vec<u8>`)

export const NETWORK_CALLS: readonly CallSpec[] = [
  {
    index: 59,
    name: 'register_network',
    args: 'hotkey: AccountId32',
    paysFee: true,
    ...signed(register, inTime),
  },
  {
    index: 78,
    name: 'set_subnet_identity',
    args: `netuid: u16, ${IDENTITY_ARGS.join(', ')}`,
    paysFee: true,
    ...signed(describe),
  },
  {
    index: 91,
    name: 'try_associate_hotkey',
    args: 'hotkey: AccountId32',
    paysFee: true,
    ...signed((context, who, args) => claimHotkey(context, who, args['hotkey'] as string)),
  },
  { index: 92, name: 'start_call', args: 'netuid: u16', paysFee: true, run: start },
]
