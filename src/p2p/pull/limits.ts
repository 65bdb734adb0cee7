/**
 * Every number that bounds the bulk path: what a peer can make us hold, and how long anything may take.
 *
 * The first group is part of the protocol, so both sides must have the same; the rest is each side's own care.
 */
const KIB = 1024
const MIB = 1024 * KIB

export const PULL_PROTOCOL = '/wheelwright/pull/1'

/** Version, codec, hash, length of the digest, digest: the only form of CID that is spoken. */
export const CID_BYTES = 36
/** CIDs in one `get`: a piece has at most four leaves, but many small documents may be asked for at once. */
export const GET_CIDS_MAX = 64
/** CIDs in one `have`: 36 KiB, which says all about a gigabyte. */
export const HAVE_CIDS_MAX = 1024
/** A document is one block of at most this, and nothing else is larger. */
export const BLOCK_BYTES_MAX = 5 * MIB
/** 1,024 links of at most 52 bytes and their sizes of at most 9 take 62 KiB. */
export const NODE_BYTES_MAX = 64 * KIB
/** 1,024 to the power of three leaves are a pebibyte; nothing that is declared is larger. */
export const FILE_LEVELS_MAX = 3
/** What the nodes of a file may take: as much as 20,000 leaves need however small, and one for every 52 KiB besides. */
export const NODES_BYTES_FREE = MIB
export const NODE_SHARE = 1 / 1024

/** What is asked for at once on one lane, and so what a bad peer can cost: four leaves. */
export const PIECE_BYTES = 4 * MIB
/** Streams to one peer, whoever asks for however much. One of them is left for `have`. */
export const LANES_PER_PEER = 4
export const WORKERS_PER_SOURCE = 3
/** Asked for and not yet stored, over all fetches: what the memory of a client depends on. */
export const FLIGHT_BYTES_MAX = 64 * MIB
/** Peers that one fetch takes from, and connected ones that it asks whether they have anything. */
export const SOURCES_MAX = 16
export const CANDIDATES_MAX = 32
/** Fetches that run at once; more of them wait their turn. */
export const FETCHES_MAX = 32

/** Dialling, or opening a stream. */
export const OPEN_MS_MAX = 10_000
/** How long idle lanes to a peer stay open: a submission is dozens of small tensors, one after the other. */
export const LINGER_MS = 500
/** No byte for so long is a stall. Slices of a slow peer's four lanes arrive in turn: 20 s is 50 KB/s for all of them. */
export const STALL_MS = 20_000
/** An answer may take so long in any case, and longer for its size: who trickles is not stalled, but no use either. */
export const ANSWER_MS = 30_000
export const ANSWER_BYTES_PER_SECOND_MIN = 32 * KIB
/** Without any block for so long, although there are peers, a fetch gives up. */
export const PROGRESS_MS = 25_000
/** How soon a peer that has a part is asked what it has by now. */
export const HAVE_MS = 100
/** How soon connected peers are asked again whether they have the root; doubled up to the second. */
export const SCAN_MS = 100
export const SCAN_MS_MAX = 2_000
/** How long a lane waits before it looks again, when nobody tells it that something changed. */
export const IDLE_MS = 250
/** For so long at least a peer that has everything is spared what others who fetch the same may bring. */
export const SPARE_MS = 2_000
/** At the end, a piece of which nothing came for so long is asked for twice. */
export const SILENT_MS = 3_000
/** And one that is merely slow, as long as the second copies stay below this share of the file. */
export const SLOW_MS = 3_000
export const DUPLICATE_SHARE = 0.02

/** Streams that a server answers: for each peer, and in all. */
export const SERVED_PER_PEER = 8
export const SERVED_MAX = 256
/** Blocks of the store that a server holds at once, whatever streams there are. */
export const SERVED_BLOCKS_MAX = 48
/** What is given to a stream at once, first and by how quickly it is taken. */
export const SLICE_BYTES = 256 * KIB
export const SLICE_BYTES_MIN = 64 * KIB
export const SLICE_BYTES_MAX = MIB
export const SLICE_MS_MIN = 50
export const SLICE_MS_MAX = 500
/** Nothing of what was sent was taken for so long. */
export const TAKE_MS = 30_000
/** A stream without a request is closed. */
export const SERVED_IDLE_MS = 60_000
/** Requests of one peer. The next one is read late, never refused. */
export const REQUESTS_BURST = 400
export const REQUESTS_PER_SECOND = 200
export const RATE_WAIT_MS = 25
