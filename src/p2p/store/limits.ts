/** What the store holds at most of anything, and the shape of the files that it writes itself. */
import { POOL_BYTES_MAX } from '../../protocol/limits.ts'

const MIB = 1024 * 1024

/** A leaf of our own files; the CID profile is fixed by it and by the next number. */
export const LEAF_BYTES_MAX = MIB
export const CHILDREN_MAX = 1024

/** A document is one block, and the largest document of the protocol is a public pool. */
export const BLOCK_BYTES_MAX = POOL_BYTES_MAX

/** A block of somebody else's file: no IPFS software makes larger ones, because bitswap carries none. */
export const FILE_BLOCK_BYTES_MAX = 2 * MIB

/** 256 GiB in leaves of our own, and three times the tensors that the header of one file can name. */
export const LEAVES_MAX = 2 ** 18
/** A terabyte in leaves of 256 KiB under nodes of 174 children, as kubo made them for years, is four levels deep. */
export const DEPTH_MAX = 8

/** Leaves that are hashed but not yet written: what keeps the disk busy while the next one is read. */
export const WRITES_MAX = 8
/** Leaves that are read ahead of whoever reads a file. */
export const READS_MAX = 4

/** The header of a CAR names its roots. */
export const CAR_HEADER_BYTES_MAX = 64 * 1024
export const CAR_ROOTS_MAX = 256
