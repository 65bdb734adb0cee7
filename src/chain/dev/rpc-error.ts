/** Errors of the JSON-RPC, with the codes, words and data of a Substrate node: clients take decisions on them. */
import { INVALID_TEXT, type InvalidReason } from './validity.ts'

export class RpcError extends Error {
  readonly code: number
  readonly data: string | undefined
  constructor(code: number, message: string, data?: string) {
    super(message)
    this.code = code
    this.data = data
  }
}

/** What a pool refuses with. */
export const poolError = {
  badFormat: (why: string) => new RpcError(1001, `Extrinsic has invalid format: ${why}`),
  invalid: (reason: InvalidReason) => new RpcError(1010, 'Invalid Transaction', INVALID_TEXT[reason]),
  custom: (code: number) => new RpcError(1010, 'Invalid Transaction', `Custom error: ${code}`),
  unknown: (reason: string) => new RpcError(1011, 'Unknown Transaction Validity', reason),
  banned: () => new RpcError(1012, 'Transaction is temporarily banned'),
  // The node prints a value whose type it has forgotten, and clients have come to know the text.
  alreadyImported: () => new RpcError(1013, 'Transaction Already Imported', 'Any { .. }'),
  lowPriority: (old: number, fresh: number) =>
    new RpcError(
      1014,
      `Priority is too low: (${old} vs ${fresh})`,
      'The transaction has too low priority to replace another transaction already in the pool.',
    ),
  immediatelyDropped: () =>
    new RpcError(1016, 'Immediately Dropped', "The transaction couldn't enter the pool because of the limit"),
} as const

export const rpcError = {
  parse: () => new RpcError(-32700, 'Parse error'),
  request: () => new RpcError(-32600, 'Invalid request'),
  unknownMethod: () => new RpcError(-32601, 'Method not found'),
  params: (why: string) => new RpcError(-32602, 'Invalid params', why),
  internal: () => new RpcError(-32603, 'Internal error'),
  unknownBlock: (hash: string) =>
    new RpcError(4003, `Client error: UnknownBlock: Header was not found in the database: ${hash}`),
  discarded: (hash: string) => new RpcError(4003, `Client error: UnknownBlock: State already discarded for ${hash}`),
  execution: (why: string) => new RpcError(4003, `Client error: Execution failed: ${why}`),
  tooManySubscriptions: (countMax: number) =>
    new RpcError(-32006, 'Too many subscriptions on the connection', `Exceeded max limit of ${countMax}`),
} as const
