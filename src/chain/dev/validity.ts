/**
 * May this transaction enter the pool, or the block in the making? The checks, and their order, of subtensor's extensions.
 */
import type { Context } from './define.ts'
import { birthOf, deathOf } from './era.ts'
import { type Extrinsic, signedPayload, verifySignature } from './extrinsic.ts'
import { SudoKey } from './pallet/sudo.ts'
import { Account } from './pallet/system.ts'
import { canPay, feeOf } from './pallet/transaction-payment.ts'
import type { Runtime } from './runtime.ts'

/** Substrate's words for why a transaction is invalid, as its RPC says them. */
export const INVALID_TEXT = {
  Future: 'Transaction will be valid in the future',
  Stale: 'Transaction is outdated',
  BadProof: 'Transaction has a bad signature',
  AncientBirthBlock: 'Transaction has an ancient birth block',
  Payment: 'Inability to pay some fees (e.g. account balance too low)',
  BadSigner: 'Invalid signing address',
} as const
export type InvalidReason = keyof typeof INVALID_TEXT

export type Validity =
  /** `nonceAhead` is how many transactions of the account must come first; `deathBlock` the first block that is too late. */
  | { readonly kind: 'valid'; readonly account: string; readonly nonceAhead: number; readonly deathBlock: number }
  | { readonly kind: 'invalid'; readonly reason: InvalidReason }
  | { readonly kind: 'custom'; readonly code: number }
  | { readonly kind: 'unknown'; readonly reason: 'CannotLookup' | 'NoUnsignedValidator' }

export type ValidityFacts = {
  readonly runtime: Runtime
  /** Of the block that the transaction could be in. */
  readonly context: Context
  readonly specVersion: number
  /** `null` for a block that is not there, or no longer. */
  readonly hashOf: (block: number) => string | null
}

/** Verifying takes over a millisecond, so what was found out under the same facts is not found out again. */
export type ProofCache = { proven: string | null }

export function validate(extrinsic: Extrinsic, facts: ValidityFacts, cache: ProofCache): Validity {
  const { signed, call } = extrinsic
  const { context, runtime } = facts
  if (signed === null) return { kind: 'unknown', reason: 'NoUnsignedValidator' }
  if (signed.address.type !== 'Id' || signed.wantsMetadataHash) return { kind: 'unknown', reason: 'CannotLookup' }
  const account = signed.address.value as string
  const birth = signed.era === null ? 0 : birthOf(signed.era, context.block)
  const birthHash = facts.hashOf(birth)
  if (birthHash === null) return { kind: 'invalid', reason: 'AncientBirthBlock' }
  if (!isProven(extrinsic, account, birthHash, facts, cache)) return { kind: 'invalid', reason: 'BadProof' }

  const { paysFee, reject } = runtime.callSpec(call)
  const info = context.get(Account, account)
  // Hotkeys have no money: subtensor asks for an account only where a fee is due.
  if (paysFee && info.providers === 0 && info.sufficients === 0) return { kind: 'invalid', reason: 'Payment' }
  if (signed.nonce < info.nonce) return { kind: 'invalid', reason: 'Stale' }
  const fee = feeOf(extrinsic.bytes.length, paysFee)
  if (!canPay(context, account, fee.base + fee.length + signed.tip)) return { kind: 'invalid', reason: 'Payment' }
  if (call.pallet === 'Sudo' && account !== context.get(SudoKey)) return { kind: 'invalid', reason: 'BadSigner' }
  const code = reject?.(context, { kind: 'signed', account }, call.args) ?? null
  if (code !== null) return { kind: 'custom', code }
  const deathBlock = signed.era === null ? Number.POSITIVE_INFINITY : deathOf(signed.era, context.block)
  return { kind: 'valid', account, nonceAhead: signed.nonce - info.nonce, deathBlock }
}

function isProven(
  { signed }: Extrinsic,
  account: string,
  birthHash: string,
  { runtime, specVersion, hashOf }: ValidityFacts,
  cache: ProofCache,
): boolean {
  if (signed === null) return false
  const under = `${specVersion} ${birthHash}`
  if (cache.proven === under) return true
  const payload = signedPayload(signed, { specVersion, genesisHash: hashOf(0) ?? '', birthHash }, runtime)
  if (!verifySignature(account, signed.signature, payload)) return false
  cache.proven = under
  return true
}
