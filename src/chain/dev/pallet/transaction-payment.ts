/**
 * What a transaction costs: a base and one rao a byte, about as much as on subtensor. Nobody earns it, it is burned.
 *
 * Real fees also weigh the work of a call; nothing that we test depends on it, and a client asks before it pays.
 */
import { type Context, item, type Pallet } from '../define.ts'
import { burn, freeBalance } from './balances.ts'

/** In rao. A transfer cost 0.000124 TAO and some rao on mainnet in July 2026. */
const FEE_BASE = 124_000n

const P = 'TransactionPayment'
const NextFeeMultiplier = item<[], bigint>(P, 'NextFeeMultiplier', '', 'u128', 10n ** 18n)

export const feeOf = (length: number, paysFee: boolean): { readonly base: bigint; readonly length: bigint } =>
  paysFee ? { base: FEE_BASE, length: BigInt(length) } : { base: 0n, length: 0n }

export function canPay(context: Pick<Context, 'get'>, account: string, fee: bigint): boolean {
  return freeBalance(context, account) >= fee
}

/** Taken before the call runs and kept when it fails. */
export function charge(context: Context, who: string, amount: bigint): void {
  if (amount === 0n) return
  burn(context, who, amount)
  context.emit('Balances', 'Withdraw', { who, amount })
}

export const transactionPayment: Pallet = {
  index: 6,
  name: P,
  storage: [NextFeeMultiplier],
  calls: [],
  events: [{ index: 0, name: 'TransactionFeePaid', fields: 'who: AccountId32, actual_fee: u64, tip: u64' }],
  errors: [],
  constants: [{ name: 'OperationalFeeMultiplier', type: 'u8', value: 5 }],
}
