/**
 * Who has how much, in rao. Accounts below the existential deposit cease to exist.
 *
 * `credit`, `debit` and `transfer` are also how other pallets move money.
 */
import { assert } from '../../../util/assert.ts'
import { type Context, type Fields, item, type Origin, type Pallet } from '../define.ts'
import { refuse } from '../dispatch-error.ts'
import type { EnumValue } from '../scale.ts'
import { Account, type AccountInfo, requireRoot, signer } from './system.ts'

export const EXISTENTIAL_DEPOSIT = 500n

const P = 'Balances'
export const TotalIssuance = item<[], bigint>(P, 'TotalIssuance', '', 'u64', 0n)
const InactiveIssuance = item<[], bigint>(P, 'InactiveIssuance', '', 'u64', 0n)

const byAccount = (name: string, type: string) =>
  item<[account: string], readonly never[]>(P, name, 'Blake2_128Concat AccountId32', `Vec<${type}>`, [])
/** Clients ask for these with every balance; nothing here writes them. */
const emptyStorage = [
  byAccount('Locks', 'BalanceLock'),
  byAccount('Reserves', 'ReserveData'),
  byAccount('Holds', 'HoldAmount'),
  byAccount('Freezes', 'FreezeAmount'),
]

export const freeBalance = (context: Pick<Context, 'get'>, account: string): bigint =>
  context.get(Account, account).data.free

function setFree(context: Context, account: string, info: AccountInfo, free: bigint): void {
  context.set(Account, [account], { ...info, providers: 1, data: { ...info.data, free } })
}

const isNew = ({ providers, sufficients }: AccountInfo): boolean => providers === 0 && sufficients === 0

/** An account that is not there cannot begin with less than it lives from. */
export const canReceive = (context: Pick<Context, 'get'>, account: string, amount: bigint): boolean =>
  amount >= EXISTENTIAL_DEPOSIT || !isNew(context.get(Account, account))

/** New money, or money that was debited elsewhere. */
function credit(context: Context, account: string, amount: bigint): void {
  if (amount === 0n) return
  const info = context.get(Account, account)
  if (!canReceive(context, account, amount)) throw refuse('Token', 'BelowMinimum')
  setFree(context, account, info, info.data.free + amount)
  if (!isNew(info)) return
  context.emit('System', 'NewAccount', { account })
  context.emit(P, 'Endowed', { account, free_balance: amount })
}

/** Throws `Token.FundsUnavailable`, or `Token.NotExpendable` when the account must live and would not. */
function debit(context: Context, account: string, amount: bigint, keepAlive: boolean): void {
  const info = context.get(Account, account)
  if (info.data.free < amount) throw refuse('Token', 'FundsUnavailable')
  const left = info.data.free - amount
  if (left >= EXISTENTIAL_DEPOSIT || amount === 0n) {
    setFree(context, account, info, left)
    return
  }
  if (keepAlive) throw refuse('Token', 'NotExpendable')
  context.remove(Account, [account])
  context.emit('System', 'KilledAccount', { account })
  if (left === 0n) return
  context.emit(P, 'DustLost', { account, amount: left })
  context.set(TotalIssuance, [], context.get(TotalIssuance) - left)
}

export function transfer(context: Context, from: string, to: string, amount: bigint, keepAlive: boolean): void {
  if (from !== to) {
    debit(context, from, amount, keepAlive)
    credit(context, to, amount)
  } else if (freeBalance(context, from) < amount) throw refuse('Token', 'FundsUnavailable')
  context.emit(P, 'Transfer', { from, to, amount })
}

export function issue(context: Context, account: string, amount: bigint): void {
  context.set(TotalIssuance, [], context.get(TotalIssuance) + amount)
  credit(context, account, amount)
}

/** Money that nobody has any more. */
export function burn(context: Context, account: string, amount: bigint): void {
  debit(context, account, amount, false)
  context.set(TotalIssuance, [], context.get(TotalIssuance) - amount)
}

/** Plain accounts only: nobody has an index here. */
export function lookup(address: unknown): string {
  const { type, value } = address as EnumValue
  if (type === 'Id') return value as string
  throw refuse('CannotLookup')
}

const transferCall = (keepAlive: boolean) => (context: Context, origin: Origin, args: Fields) =>
  transfer(context, signer(origin), lookup(args['dest']), args['value'] as bigint, keepAlive)

function transferAll(context: Context, origin: Origin, args: Fields): void {
  const from = signer(origin)
  const keepAlive = args['keep_alive'] === true
  const all = freeBalance(context, from) - (keepAlive ? EXISTENTIAL_DEPOSIT : 0n)
  transfer(context, from, lookup(args['dest']), all > 0n ? all : 0n, keepAlive)
}

function forceTransfer(context: Context, origin: Origin, args: Fields): void {
  requireRoot(origin)
  transfer(context, lookup(args['source']), lookup(args['dest']), args['value'] as bigint, false)
}

function forceSetBalance(context: Context, origin: Origin, args: Fields): void {
  requireRoot(origin)
  const who = lookup(args['who'])
  const before = freeBalance(context, who)
  const free = (args['new_free'] as bigint) < EXISTENTIAL_DEPOSIT ? 0n : (args['new_free'] as bigint)
  if (free > before) issue(context, who, free - before)
  else if (free < before) burn(context, who, before - free)
  context.emit(P, 'BalanceSet', { who, free })
}

const TRANSFER_ARGS = 'dest: MultiAddress, value: Compact<u64>'

export const balances: Pallet = {
  index: 5,
  name: P,
  storage: [TotalIssuance, InactiveIssuance, ...emptyStorage],
  calls: [
    { index: 0, name: 'transfer_allow_death', args: TRANSFER_ARGS, paysFee: true, run: transferCall(false) },
    {
      index: 2,
      name: 'force_transfer',
      args: `source: MultiAddress, ${TRANSFER_ARGS}`,
      paysFee: true,
      run: forceTransfer,
    },
    { index: 3, name: 'transfer_keep_alive', args: TRANSFER_ARGS, paysFee: true, run: transferCall(true) },
    { index: 4, name: 'transfer_all', args: 'dest: MultiAddress, keep_alive: bool', paysFee: true, run: transferAll },
    {
      index: 8,
      name: 'force_set_balance',
      args: 'who: MultiAddress, new_free: Compact<u64>',
      paysFee: true,
      run: forceSetBalance,
    },
  ],
  events: [
    { index: 0, name: 'Endowed', fields: 'account: AccountId32, free_balance: u64' },
    { index: 1, name: 'DustLost', fields: 'account: AccountId32, amount: u64' },
    { index: 2, name: 'Transfer', fields: 'from: AccountId32, to: AccountId32, amount: u64' },
    { index: 3, name: 'BalanceSet', fields: 'who: AccountId32, free: u64' },
    { index: 7, name: 'Deposit', fields: 'who: AccountId32, amount: u64' },
    { index: 8, name: 'Withdraw', fields: 'who: AccountId32, amount: u64' },
  ],
  errors: [
    'VestingBalance',
    'LiquidityRestrictions',
    'InsufficientBalance',
    'ExistentialDeposit',
    'Expendability',
    'ExistingVestingSchedule',
    'DeadAccount',
    'TooManyReserves',
    'TooManyHolds',
    'TooManyFreezes',
    'IssuanceDeactivated',
    'DeltaZero',
  ].map((name, index) => ({ index, name })),
  constants: [
    { name: 'ExistentialDeposit', type: 'u64', value: EXISTENTIAL_DEPOSIT },
    { name: 'MaxLocks', type: 'u32', value: 50 },
    { name: 'MaxReserves', type: 'u32', value: 50 },
    { name: 'MaxFreezes', type: 'u32', value: 50 },
  ],
}

/** For genesis: money out of nothing. */
export function endow(context: Context, account: string, amount: bigint): void {
  assert(amount >= EXISTENTIAL_DEPOSIT, 'an account lives from the existential deposit on')
  issue(context, account, amount)
}
