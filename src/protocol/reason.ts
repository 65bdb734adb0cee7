/**
 * Why a submission earns nothing: the closed set of reasons that reports carry, miners see and the documents explain.
 *
 * On the wire a reason is its place in this list: new ones are added at the end, none is ever removed.
 */

export const REASONS = [
  /** No valid reveal was seen before the evaluation began. */
  'REVEAL_MISSING',
  /** More revealed than the group has seats, and the lottery chose others. */
  'SEAT_NONE',
  /** The manifest or a tensor could not be fetched in time. */
  'FETCH_FAILED',
  'MANIFEST_MALFORMED',
  'MANIFEST_FOREIGN',
  'BASE_STALE',
  'GROUP_UNKNOWN',
  'ROUTER_CLOSED',
  'SUBMISSION_TOO_LARGE',
  /** A tensor that does not belong to the group: the hub, the router or another group was touched. */
  'TENSOR_FOREIGN',
  'TENSOR_DTYPE',
  'TENSOR_SHAPE',
  /** The bytes do not have the digest that the manifest gives. */
  'TENSOR_DIGEST',
  'TENSOR_NOT_FINITE',
  'NORM_TOO_LARGE',
  /** The engine failed on it, or did not end in its share of the phase. */
  'EVALUATION_FAILED',
  /** The lower bound of the gain is not above zero. */
  'LOSS_NOT_LOWER',
  'GAIN_BELOW_EPSILON',
  'HARMS_OTHER_DOMAINS',
  /** Accepted alone, but it adds too little to those before it: what copies and sybils hear. */
  'ADDS_NOTHING',
  /** Routing rows: another validator's were better. */
  'ROUTER_OUTDONE',
] as const
export type Reason = (typeof REASONS)[number]
