/**
 * How a write becomes bytes: nonce, mortality and signature.
 *
 * Mortality ends with the window, so that a write that missed it cannot come after all, and it begins at a final block, so
 * that no fork makes the bytes invalid while they are on their way.
 */
import type { ApiPromise } from '@polkadot/api'
import { withoutPrefix } from '../util/bytes.ts'
import type { Sent } from './journal.ts'
import { bestNumber, finalHead, hashAt } from './read.ts'
import { callOf, type Write } from './write.ts'

/** Signs for one account; the secret stays behind it. */
export type Signer = {
  /** SS58. */
  readonly address: string
  readonly publicKey: Uint8Array
  /** A signature of 64 bytes over exactly these bytes. */
  readonly sign: (bytes: Uint8Array) => Uint8Array
}

/** Mortality is a power of two of blocks, and four is the least that a chain knows. */
const ERA_BLOCKS_MIN = 4
const ERA_BLOCKS_MAX = 64

type Era = { readonly birth: number; readonly period: number }

/**
 * The shortest that ends with the window, and begins at a block that no fork can replace. A longer window takes several of
 * them. In the first blocks of a chain there is none so old, and that it ends in time counts more.
 */
export function eraOf({ final, best, lastBlock }: { final: number; best: number; lastBlock: number }): Era {
  let period = ERA_BLOCKS_MIN
  while (period < lastBlock + 1 - final && period < ERA_BLOCKS_MAX) period *= 2
  const birth = Math.min(final, lastBlock + 1 - period)
  if (birth >= 0) return { birth, period }
  return { birth: Math.max(0, Math.min(best, lastBlock + 1 - ERA_BLOCKS_MIN)), period: ERA_BLOCKS_MIN }
}

/**
 * `instead`: bytes that some node takes no more, though they may still be somewhere. What is signed in their place has the
 * same nonce, so that one of them all lands at most.
 */
export async function signWrite(
  api: ApiPromise,
  signer: Signer,
  write: Write,
  { lastBlock, instead }: { readonly lastBlock: number; readonly instead: Sent | null },
): Promise<Sent> {
  const [{ number: final }, best, next] = await Promise.all([
    finalHead(api),
    bestNumber(api),
    api.rpc.system.accountNextIndex(signer.address),
  ])
  const { birth, period } = eraOf({ final, best, lastBlock })
  const nonce = instead?.nonce ?? next.toNumber()
  const era = api.createType('ExtrinsicEra', { current: birth, period })
  const tx = callOf(api, write)
  await tx.signAsync(pairOf(signer), { nonce, era, blockHash: `0x${await hashAt(api, birth)}` })
  return {
    id: withoutPrefix(tx.hash.toHex()),
    genesis: withoutPrefix(api.genesisHash.toHex()),
    kind: write.kind,
    effect: write.effect,
    lastBlock,
    nonce,
    signed: tx.toHex(),
    earlier: instead === null ? [] : [...instead.earlier, instead.signed],
    since: Math.min(instead?.since ?? final, final),
    dies: Math.max(instead?.dies ?? 0, birth + period),
  }
}

/** What the library takes for a key pair: it calls `sign` and reads three fields. */
const pairOf = (signer: Signer): never =>
  ({
    address: signer.address,
    addressRaw: signer.publicKey,
    publicKey: signer.publicKey,
    type: 'sr25519',
    isLocked: false,
    sign: (bytes: Uint8Array, options?: { withType?: boolean }) => {
      const signature = signer.sign(bytes)
      return options?.withType === true ? Uint8Array.of(1, ...signature) : signature
    },
  }) as never
