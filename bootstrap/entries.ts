/**
 * The entry peers of public networks, by the network's name (the CID of its genesis constitution): multiaddrs, each with the
 * peer id that must answer there.
 *
 * Empty, because there is no public network yet. Only a peer that is told to join a network looks here, under that name.
 */
export const ENTRIES: Readonly<Record<string, readonly string[]>> = {}
