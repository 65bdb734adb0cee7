/**
 * Every bound on what a peer can make us hold, read or wait for, with the reason for its number.
 *
 * These are the same for all networks; what differs between networks is in the constitution. A decoder checks its bound
 * before it looks at a single byte.
 */

/**
 * Values in one document, of any kind: a few bytes can each become an object of sixty. The most that a valid one needs is
 * the 65,536 sequences of a pool; a manifest of 2,048 tensors has some 35,000.
 */
export const ITEMS_MAX = 128 * 1024

/** One gossip message, envelope included. The largest is a report (below) and its frame. */
export const MESSAGE_BYTES_MAX = 128 * 1024

/** 512 rows of at most 165 bytes (hotkey, CID and salt are 32 to 41 bytes each) and the fixed part. */
export const REPORT_BYTES_MAX = 96 * 1024

/** As many seats as a subnet has UIDs (256), and as many router submissions again. */
export const ROWS_MAX = 512

/** All seats of all groups: validators evaluate no more than a subnet can hold. */
export const SEATS_MAX = 256

/** Validators in a snapshot: the chain's own maximum of permits, and 16 bytes of bitmap in a slot. */
export const VALIDATORS_MAX = 128

/** A slot on chain holds 128 bytes, and every write of up to 100 costs 100 of the epoch's space. */
export const RECORD_BYTES_MAX = 100

/** The chain's space for one hotkey in one epoch (`Commitments.MaxSpace`). */
export const EPOCH_SPACE_BYTES = 3_100

/** An IPFS block is at most 1 MiB; a constitution is one block, and lists every trainable tensor by name. */
export const CONSTITUTION_BYTES_MAX = 1024 * 1024

/** A submission's manifest and a page of a model's: 2,048 tensors of at most 360 bytes, in one block. */
export const MANIFEST_BYTES_MAX = 1024 * 1024
export const TENSORS_MAX = 2_048

/** A root: 512 certified rows of at most 180 bytes, 64 groups of at most 300, and the fixed part. */
export const ROOT_BYTES_MAX = 160 * 1024

/** A peer card travels inside every reveal, so it stays small: 8 addresses of 256 characters, and 400 bytes of frame. */
export const CARD_BYTES_MAX = 3 * 1024
export const ADDRESSES_MAX = 8
export const ADDRESS_CHARS_MAX = 256

/**
 * New cards of one hotkey that are heard and passed on in a cycle. An honest one signs two, those of the cycles beside it
 * may come in it too, and two are for a restart.
 */
export const CARDS_MAX = 8

/** A sealed shard: 256 sequences of 4,096 tokens of four bytes are 4 MiB, and the frame. */
export const SHARD_BYTES_MAX = 5 * 1024 * 1024
export const SHARD_SEQUENCES_MAX = 4_096

/** A public pool is one document: a hundred times what a cycle draws from it, at 96 tokens. */
export const POOL_BYTES_MAX = 16 * 1024 * 1024
export const POOL_SEQUENCES_MAX = 65_536

/** Shards used in one cycle: with more, each would hold too few sequences to mean anything (protocol §5). */
export const SHARDS_MAX = 16
/** Below this a mean has no error worth computing. */
export const SHARD_SEQUENCES_MIN = 16

/** Tracks, domains and groups of a constitution: what a person can still oversee. */
export const TRACKS_MAX = 8
export const DOMAINS_MAX = 64
export const GROUPS_MAX = 64
export const NAME_CHARS_MAX = 32

/** Pages of a model's manifest: 64 parts of 64 pages of 2,048 tensors hold any model published so far. */
export const PAGES_MAX = 64
export const FILES_MAX = 32

/** A loss of 100 nats is worse than guessing among e^100 tokens: anything above is clamped before it is written down. */
export const LOSS_NANO_MAX = 100_000_000_000

/** Scores travel as u32 nano-nats: 4.29 nats of improvement in one cycle is more than any honest one. */
export const SCORE_MAX = 0xffff_ffff

/** Blocks: u32 on chain. */
export const BLOCK_MAX = 0xffff_ffff
export const PHASE_BLOCKS_MAX = 100_000

/** A record keeps its author in the snapshot for this many cycles (protocol §6). */
export const SNAPSHOT_CYCLES = 3

/** What reached us early is kept until its window is final, but only this much of it. */
export const EARLY_MESSAGES_MAX = 1_024
