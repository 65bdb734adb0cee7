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

/**
 * What a relay does for strangers. A peer holds its place by a connection, and asks again before its time is over. Through
 * the relay go identification, the agreement on who dials whom, and what gossip is said meanwhile: it is over in seconds.
 */
export const RELAY_RESERVATIONS_MAX = 200
export const RELAY_RESERVATION_MS = 20 * 60_000
export const RELAY_BYTES_MAX = MIB / 4
export const RELAY_MS_MAX = 60_000
/** At once, of each who asks and to each who is asked for. */
export const RELAY_CIRCUITS_PER_PEER = 8

/** Messages of one peer that are judged: so many at once, and so many a second from then on. The rest is ignored. */
export const MESSAGES_BURST = 2_000
export const MESSAGES_PER_SECOND = 200

/** Records that one peer may put into the table: its own card, and newer ones of others that it found with older. */
export const RECORDS_BURST = 64
export const RECORDS_PER_SECOND = 2

/** Hotkeys whose cards are held: four times as many as a subnet has UIDs, because who left may come back. */
export const CARDS_HELD_MAX = 1_024

/**
 * Strangers who may be connected until they have shown a card: in all, and from one address or relay; on a laptop all have the
 * same.
 * An exchange takes a round trip and a signature. Who was refused is not heard for a while.
 */
export const KNOCKS_MAX = 64
export const KNOCKS_PER_ADDRESS = 4
export const HELLO_MS = 5_000
/** Who leaves later than this by itself, without a card, was refused. */
export const LEAVE_MS = 1_000
export const REFUSED_MS = 60_000
export const REFUSED_MAX = 1_024
/** Cards that one peer may show: a new one when it has moved, and some for luck. */
export const HELLOS_BURST = 8
export const HELLOS_PER_SECOND = 0.2
/** How often it is looked whether those who are connected are still registered. */
export const ROLL_CALL_MS = 30_000

/** Of `CONNECTIONS_MAX`, from one public address: a house full of nodes, and not enough to keep everybody else out. */
export const CONNECTIONS_PER_ADDRESS = 32
