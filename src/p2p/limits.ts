/** What a peer can make a host hold or do. The bounds on what is inside messages are the protocol's. */

const MIB = 1024 * 1024

export const CONNECTIONS_MAX = 300

/**
 * A stream's window grows to this. The read buffer must hold a whole window and what is on its way, or yamux resets the
 * stream: measured with 16 MiB windows over a buffer of 4. It begins at yamux's own 256 KiB: the library takes any other
 * beginning for the other side's too, and other software then ends the connection.
 */
export const WINDOW_BYTES = 8 * MIB
export const READ_BUFFER_BYTES = 32 * MIB

/** One gossip RPC: a few of the largest messages together. */
export const RPC_BYTES_MAX = 4 * MIB

/** Messages of one peer that are judged: so many at once, and so many a second from then on. The rest is ignored. */
export const MESSAGES_BURST = 2_000
export const MESSAGES_PER_SECOND = 200
