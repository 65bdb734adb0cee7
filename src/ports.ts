/**
 * The seams: everything the actors need from the outside world. Types only.
 *
 * Adapters in p2p/, chain/ and gpu/ satisfy these shapes, and so do the fakes in sim/; test/contracts/ holds one suite per
 * port that both pass. Rules for all of them:
 *
 * - Every asynchronous method takes `{ signal }` last and ends soon after it is aborted, with an error.
 * - Every method is safe to call again after a crash: it finds what the first call left and goes on from there.
 * - What failed in the world is thrown as a `NodeError` with a code; what a peer sent is never an exception.
 * - Bytes that were handed over belong to the receiver; nobody writes into them afterwards.
 */
import type { Happening } from './event.ts'
import type { MessageKind } from './protocol/envelope.ts'
import type { TensorEntry } from './protocol/manifest.ts'
import type { Reason } from './protocol/reason.ts'
import type { Verdict } from './protocol/verdict.ts'
import type { UidWeight } from './protocol/weight.ts'

export type Cancel = { readonly signal: AbortSignal }
export type Unsubscribe = () => void

/** Time, injected so that tests own it. XState's `SimulatedClock` satisfies this shape. */
export type Clock = {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number
  // biome-ignore lint/suspicious/noExplicitAny: the shape that XState gives its own Clock
  setTimeout(fn: (...args: any[]) => void, timeoutMs: number): any
  // biome-ignore lint/suspicious/noExplicitAny: likewise
  clearTimeout(id: any): void
}

/** Chance, injected so that one seed tells one story. The real one is the system's cryptographic generator. */
export type Random = {
  bytes(length: number): Uint8Array
}

/** The hotkey's secret stays behind this; engine workers never see it. Synchronous: about a millisecond a signature. */
export type Keys = {
  /** 64 hex digits. */
  readonly hotkey: string
  /** sr25519 over the message, which always begins with a tag of its kind: never over a bare digest. */
  sign(message: Uint8Array): Uint8Array
  /** HMAC-SHA-256 under the secret: the same salt again after a crash. */
  mac(message: Uint8Array): Uint8Array
  /** The peer's own key over a claim: what a peer card needs besides the hotkey's signature. */
  prove(claim: Uint8Array): Uint8Array
}

/**
 * Judges what a peer sent. Accepted bytes are passed on to other peers, ignored ones are not, rejected ones cost their
 * sender score. Called for every message before anything else is done with it, so it is synchronous and quick.
 */
export type Gate = (from: string, bytes: Uint8Array) => Verdict

export type PeerAddress = { readonly peerId: string; readonly addresses: readonly string[] }

/**
 * Gossip among admitted peers. Best effort: a message may be lost, repeated, late or out of order, but never altered.
 * Nothing that must be agreed relies on it.
 */
export type Network = {
  readonly self: PeerAddress
  /** Resolves when the message was handed to at least one peer, or there was none; it never waits for delivery. */
  publish(kind: MessageKind, bytes: Uint8Array, opts: Cancel): Promise<void>
  /** One gate per kind. Own messages do not pass it. */
  subscribe(kind: MessageKind, gate: Gate): Unsubscribe
}

/**
 * Content-addressed storage, here and at peers. What is returned has the CID that was asked for, whoever sent it; a
 * corrupt block is fetched again and never served.
 */
export type Blobs = {
  /**
   * Stores bytes and serves them to peers, on disk before it resolves. `withheld` keeps them from peers until `release`,
   * though their CID may be known: sealed shards, submissions before their reveal.
   */
  put(
    bytes: Uint8Array,
    opts: { readonly codec: 'dag-cbor' | 'raw'; readonly withheld: boolean } & Cancel,
  ): Promise<string>
  /** Serves what was withheld. Nothing happens when it was not. */
  release(cid: string): Promise<void>
  /**
   * From here, or else from these providers, or else from any peer. Throws BLOB_UNAVAILABLE, or BLOB_TOO_LARGE before more
   * than `bytesMax` were taken.
   */
  get(
    cid: string,
    opts: { readonly bytesMax: number; readonly from: readonly PeerAddress[] } & Cancel,
  ): Promise<Uint8Array>
  has(cid: string): Promise<boolean>
  /** Frees everything that is not in the set and not being written. */
  retain(cids: ReadonlySet<string>, opts: Cancel): Promise<{ readonly freedBytes: number }>
}

export type Block = { readonly number: number; readonly hash: string }

export type ChainEvent =
  | { readonly type: 'block.best'; readonly block: Block }
  | { readonly type: 'block.finalised'; readonly block: Block }
  /** The best chain left these blocks for others; only finalised ones are facts. */
  | { readonly type: 'chain.forked'; readonly from: Block; readonly to: Block }
  | { readonly type: 'chain.degraded'; readonly why: string }
  | { readonly type: 'chain.recovered' }

export type Neuron = {
  readonly uid: number
  readonly hotkey: string
  /** The runtime's integer. */
  readonly stake: bigint
  readonly permit: boolean
}

/** A hotkey's slot, and where in the chain it was written: earlier comes first among equals. */
export type Slot = {
  readonly hotkey: string
  readonly bytes: Uint8Array
  readonly block: number
  readonly index: number
}

export type Landing = { readonly block: number }

/**
 * The Bittensor-style chain, as one hotkey on one subnet sees it. Reads are of finalised blocks by number, so that all
 * peers read alike. A write is done when it was read back from a finalised block, not when it was sent: it is journalled,
 * sent again when it was lost, and never landed twice.
 */
export type Chain = {
  /** Tells the present heads at once, then every change. Finalised blocks come one by one and none is left out. */
  watch(listener: (event: ChainEvent) => void): Unsubscribe
  hashOf(block: number, opts: Cancel): Promise<string>
  neurons(block: number, opts: Cancel): Promise<readonly Neuron[]>
  slots(block: number, opts: Cancel): Promise<readonly Slot[]>
  /**
   * Throws WINDOW_MISSED when it is not in the finalised state of `lastBlock`, and then it does not come late either.
   */
  writeSlot(bytes: Uint8Array, opts: { readonly lastBlock: number } & Cancel): Promise<Landing>
  /** In whatever mode the subnet demands, to the end. Throws WINDOW_MISSED likewise. */
  setWeights(weights: readonly UidWeight[], opts: { readonly lastBlock: number } & Cancel): Promise<Landing>
  /** The weights of a uid as they stand in the finalised state of a block. */
  weightsOf(uid: number, block: number, opts: Cancel): Promise<readonly UidWeight[]>
  /** What the subnet demands of a vector of weights. */
  weightRules(block: number, opts: Cancel): Promise<{ readonly entriesMin: number; readonly uidCount: number }>
}

/** A model by its manifest, with where to fetch what is not here. */
export type ModelRef = { readonly manifest: string; readonly from: readonly PeerAddress[] }

/** Trains the group's experts, and nothing else: the hub is not in the gradient graph. */
export type Trainer = {
  /**
   * The changed tensors, stored and withheld. When `enough` is aborted, the window ends: what was learned so far is
   * returned. When `signal` is, nobody wants it any more.
   */
  train(
    task: {
      readonly model: ModelRef
      readonly group: string
      readonly domain: string
      readonly cycle: number
      readonly enough: AbortSignal
    },
    opts: Cancel,
  ): Promise<readonly TensorEntry[]>
}

/** What is put over a base model before its loss is taken. */
export type Overlay =
  | { readonly kind: 'none' }
  | { readonly kind: 'values'; readonly tensors: readonly TensorEntry[] }
  | { readonly kind: 'merge'; readonly etaPpm: number; readonly members: readonly MergeMember[] }
export type MergeMember = { readonly tensors: readonly TensorEntry[]; readonly weight: number }

/** Sequences under a name: equal names are equal content, so that the engine may keep what it computed for them. */
export type Samples = { readonly name: string; readonly sequences: readonly Uint8Array[] }

/**
 * Takes losses, checks tensors and merges. It holds no rule: what a loss means is decided in protocol/. A hang costs one
 * submission its turn: aborting kills the worker behind it.
 */
export type Evaluator = {
  /**
   * The mean loss of each sequence in nano-nats, in order. At each of `checkpoints` (counts of sequences) `goOn` hears the
   * losses so far; when it says no, only these are returned.
   */
  losses(
    task: {
      readonly model: ModelRef
      readonly overlay: Overlay
      readonly samples: Samples
      readonly checkpoints: readonly number[]
      readonly goOn: (losses: readonly number[]) => boolean
    },
    opts: Cancel,
  ): Promise<readonly number[]>
  /** Fetches and checks every tensor of a submission: digest, finite values, norm of the change. `null` when sound. */
  inspect(
    task: {
      readonly model: ModelRef
      readonly tensors: readonly TensorEntry[]
      readonly from: readonly PeerAddress[]
      readonly normRatioMilli: number
    },
    opts: Cancel,
  ): Promise<Reason | null>
  /** The tensors that the merge changes, stored: the same bytes on every machine. */
  merge(
    task: { readonly model: ModelRef; readonly etaPpm: number; readonly members: readonly MergeMember[] },
    opts: Cancel,
  ): Promise<readonly TensorEntry[]>
}

/** Where sequences to judge on come from. */
export type Data = {
  /**
   * Fresh sequences of a domain that were never used before: for a shard of this cycle. The same again for the same cycle,
   * so that a crash does not unseal anything.
   */
  draw(
    task: { readonly domain: string; readonly cycle: number; readonly count: number },
    opts: Cancel,
  ): Promise<readonly Uint8Array[]>
  /** One fixed set per domain, for the curves that people see; no rule reads it. */
  heldOut(domain: string, opts: Cancel): Promise<Samples>
}

/** A constant message and plain fields. Nothing from a peer above debug, never a secret. */
export type Log = {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}
export type LogFields = { readonly [key: string]: string | number | boolean | null }

/** What all roles need. `observe` is where a node says what happened: the one source of events (event.ts). */
export type Ports = {
  readonly clock: Clock
  readonly random: Random
  readonly keys: Keys
  readonly network: Network
  readonly blobs: Blobs
  readonly chain: Chain
  readonly log: Log
  readonly observe: (happening: Happening) => void
}
export type MinerPorts = Ports & { readonly trainer: Trainer }
export type ValidatorPorts = Ports & { readonly evaluator: Evaluator; readonly data: Data }
