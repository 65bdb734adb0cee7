/**
 * Verdicts on what peers send, and the closed set of reasons.
 *
 * Ignore: an honest peer could have sent this (clocks drift, gossip repeats), so it costs nobody anything. Reject: only a
 * faulty or hostile peer sends it, so it costs its sender score. A code is also a label of a metric and a heading in
 * docs: the sets are closed.
 */

export const IGNORE_CODES = [
  'CYCLE_PAST',
  'CYCLE_FUTURE',
  'EARLY',
  'KNOWN',
  'CARD_EXPIRED',
  'CARD_SUPERSEDED',
  'CARD_TOO_LONG_LIVED',
  'CARD_TOO_MANY',
  'HOTKEY_UNREGISTERED',
  'VALIDATOR_UNCOUNTED',
] as const

export const REJECT_CODES = [
  'MESSAGE_TOO_LARGE',
  'MESSAGE_MALFORMED',
  'KIND_WRONG',
  'SIGNATURE_BAD',
  'CARD_PEER_UNPROVEN',
  'CARD_FOREIGN',
  'ADDRESS_FORBIDDEN',
  'COMMITMENT_MISSING',
  'COMMITMENT_MISMATCH',
  'REPORT_INVALID',
  'SHARD_UNSEALED',
  'RECORD_FOREIGN',
] as const

export type IgnoreCode = (typeof IGNORE_CODES)[number]
export type RejectCode = (typeof REJECT_CODES)[number]

export type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'ignore'; readonly code: IgnoreCode }
  | { readonly kind: 'reject'; readonly code: RejectCode; readonly detail?: string }

export const ACCEPT: Verdict = { kind: 'accept' }
export const ignore = (code: IgnoreCode): Verdict => ({ kind: 'ignore', code })

/** `detail` quotes what a peer sent: it is for debug logs only, and bounded by whoever writes it. */
export const reject = (code: RejectCode, detail?: string): Verdict =>
  detail === undefined ? { kind: 'reject', code } : { kind: 'reject', code, detail }
