/**
 * Weights, in whatever mode the subnet demands: set at once, or committed now and revealed in a later epoch.
 *
 * In classic commit-reveal the salt is on disk before the hash is sent, and the reveal is done by whoever runs with that
 * file when its epoch has come: a validator that restarts in between loses nothing. Rate limits are read before sending.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { blake2b } from '@noble/hashes/blake2.js'
import { NodeError } from '../errors.ts'
import type { Cancel, Landing, Log, Random } from '../ports.ts'
import type { UidWeight } from '../protocol/weight.ts'
import { concat, hexBytes, toHex } from '../util/bytes.ts'
import { type Link, plain } from './link.ts'
import { readRules, readWeightsRow, type State, type SubnetRules, stateAt } from './read.ts'
import type { Writer } from './writer.ts'

/** A commit whose reveal is owed. */
export type Owed = {
  readonly netuid: number
  readonly hotkey: string
  readonly uids: readonly number[]
  readonly values: readonly number[]
  readonly salt: readonly number[]
  readonly versionKey: string
  readonly hash: string
  /** The epoch in which the commit landed; `null` before it did. */
  readonly epoch: number | null
}

export type WeightsDeps = {
  readonly link: Link
  readonly writer: Writer
  readonly random: Random
  readonly log: Log
  /** Where owed reveals are kept; `null` for a program that stays until they are done. */
  readonly path: string | null
}
export type WeightsAccount = { readonly netuid: number; readonly hotkey: string }

export type Weights = {
  /** Landed: the row stands, or the commit does. */
  readonly set: (weights: readonly UidWeight[], opts: { readonly lastBlock: number } & Cancel) => Promise<Landing>
  /** Reveals what is due in this epoch. Called at every finalised block. */
  readonly revealDue: (opts: Cancel) => Promise<void>
  readonly owed: () => readonly Owed[]
  /** Resolves when nothing is owed any more: with the last reveal, or `null` when there was none. */
  readonly whenRevealed: (opts: Cancel) => Promise<Landing | null>
}

const SALT_WORDS = 8

export async function createWeights({ netuid, hotkey }: WeightsAccount, deps: WeightsDeps): Promise<Weights> {
  const { link, writer, random, log, path } = deps
  let owed = await readOwed(path)
  let last: Landing | null = null
  const idle = new Set<() => void>()
  const keep = async (next: readonly Owed[]): Promise<void> => {
    owed = next
    if (path !== null) await storeOwed(path, next)
    if (owed.length === 0) for (const wake of idle) wake()
  }
  return {
    owed: () => owed,
    whenRevealed: ({ signal }) =>
      new Promise((resolve, reject) => {
        const end = (): void => {
          idle.delete(end)
          signal.removeEventListener('abort', onAbort)
          resolve(last)
        }
        const onAbort = (): void => {
          idle.delete(end)
          reject(signal.reason)
        }
        signal.addEventListener('abort', onAbort, { once: true })
        idle.add(end)
        if (owed.length === 0) end()
      }),
    set: inOrder(async (weights, opts) => {
      const { state, block } = await finalisedState(link, opts)
      const rules = await readRules(state, netuid)
      const [uids, values] = [weights.map(([uid]) => uid), weights.map(([, value]) => value)]
      const versionKey = String(rules.versionKey)
      if (!rules.commitReveal) {
        const since = await waitForLimit(link, state, rules, { netuid, hotkey }, opts)
        const effect = { netuid, hotkey, uids, values, versionKey, since: Math.max(1, since) }
        return writer.write({ kind: 'weights', effect }, opts)
      }
      const salt = saltOf(random)
      const hash = commitHash({ netuid, hotkey, uids, values, salt, versionKey })
      const debt: Owed = { netuid, hotkey, uids, values, salt, versionKey, hash, epoch: null }
      await keep([...owed, debt])
      const landing = await writer.write({ kind: 'weights-commit', effect: { netuid, hotkey, hash } }, opts)
      const epoch = await epochAt(link, netuid, landing.block, opts)
      await keep(owed.map((entry) => (entry.hash === hash ? { ...entry, epoch } : entry)))
      log.info('weights committed', { epoch, block, revealInEpoch: epoch + rules.revealPeriodEpochs })
      return landing
    }),
    revealDue: async (opts) => {
      if (owed.length === 0) return
      const { state, block } = await finalisedState(link, opts)
      const { epoch, revealPeriodEpochs, tempo } = await readRules(state, netuid)
      if (epoch === null) return
      for (const debt of owed) {
        const due = debt.epoch === null ? null : debt.epoch + revealPeriodEpochs
        if (due !== null && epoch < due) continue
        if (due === epoch) {
          const effect = { ...debt, since: block }
          last = await writer.write(
            { kind: 'weights-reveal', effect },
            { lastBlock: block + Math.max(8, tempo), ...opts },
          )
        } else log.warn('a weights commit expired unrevealed', { epoch, due: due ?? -1 })
        await keep(owed.filter((entry) => entry !== debt))
      }
    },
  }
}

/** One vector after the other, in the order in which they were asked for. */
function inOrder(set: Weights['set']): Weights['set'] {
  let tail: Promise<unknown> = Promise.resolve()
  return (weights, opts) => {
    const copy = weights.slice()
    const next = tail.then(() => set(copy, opts))
    tail = next.catch(() => undefined)
    return next
  }
}

async function finalisedState(link: Link, opts: Cancel): Promise<{ readonly state: State; readonly block: number }> {
  return link.use(async (api) => {
    const hash = await api.rpc.chain.getFinalizedHead()
    const block = (await api.rpc.chain.getHeader(hash)).number.toNumber()
    return { state: await stateAt(api, plain(hash.toHex())), block }
  }, opts)
}

const epochAt = (link: Link, netuid: number, block: number, opts: Cancel): Promise<number> =>
  link.use(async (api) => {
    const hash = await api.rpc.chain.getBlockHash(block)
    return (await readRules(await stateAt(api, plain(hash.toHex())), netuid)).epoch ?? 0
  }, opts)

/** The first block at which the chain takes a new row; waits for it when the window allows. */
async function waitForLimit(
  link: Link,
  state: State,
  { weightsRateLimit }: SubnetRules,
  { netuid, hotkey }: WeightsAccount,
  { lastBlock, signal }: { readonly lastBlock: number } & Cancel,
): Promise<number> {
  const { updated } = await readWeightsRow(state, netuid, hotkey)
  // A row that was never set has no limit to wait for: the chain does not ask then.
  const allowed = updated === 0 ? 0 : updated + weightsRateLimit
  const best = link.health().best?.number ?? 0
  if (best + 1 >= allowed) return allowed
  if (allowed >= lastBlock) {
    throw new NodeError('RATE_LIMITED', {
      what: 'weights cannot be set in this window',
      why: `the chain takes the next vector at block ${allowed}, in ${allowed - best} blocks`,
      data: { allowed, blocks: allowed - best },
    })
  }
  await untilBlock(link, allowed - 1, signal)
  return allowed
}

function untilBlock(link: Link, block: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      unwatch()
      signal.removeEventListener('abort', onAbort)
    }
    const onAbort = (): void => {
      end()
      reject(signal.reason)
    }
    let unwatch = (): void => undefined
    unwatch = link.watch((event) => {
      if (event.type !== 'block.best' || event.block.number < block) return
      queueMicrotask(end) // `watch` tells the present head before it returns
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

function saltOf(random: Random): readonly number[] {
  const bytes = random.bytes(2 * SALT_WORDS)
  return Array.from({ length: SALT_WORDS }, (_, i) => (bytes[2 * i] ?? 0) + 256 * (bytes[2 * i + 1] ?? 0))
}

/** blake2b-256 over SCALE of (account, storage index u16, uids, values, salt, version key u64), as the runtime has it. */
export function commitHash({ netuid, hotkey, uids, values, salt, versionKey }: Omit<Owed, 'hash' | 'epoch'>): string {
  const version = new Uint8Array(8)
  new DataView(version.buffer).setBigUint64(0, BigInt(versionKey), true)
  const words = [u16s([netuid]), vector(uids), vector(values), vector(salt)]
  return toHex(blake2b(concat(hexBytes(hotkey), ...words, version), { dkLen: 32 }))
}

const u16s = (values: readonly number[]): Uint8Array => {
  const bytes = new Uint8Array(2 * values.length)
  const view = new DataView(bytes.buffer)
  for (const [i, value] of values.entries()) view.setUint16(2 * i, value, true)
  return bytes
}

/** SCALE's compact length: one byte below 64, two below 16,384. A row has at most as many entries as there are uids. */
const vector = (values: readonly number[]): Uint8Array => {
  const { length } = values
  const head = length < 64 ? Uint8Array.of(4 * length) : Uint8Array.of(((length & 63) << 2) | 1, length >> 6)
  return concat(head, u16s(values))
}

async function readOwed(path: string | null): Promise<readonly Owed[]> {
  if (path === null) return []
  const text = await readFile(path, 'utf8').catch(() => '[]')
  try {
    return JSON.parse(text) as readonly Owed[]
  } catch (cause) {
    const why = 'it is not what was written'
    throw new NodeError('JOURNAL_DAMAGED', { what: `${path} cannot be read`, why, cause })
  }
}

async function storeOwed(path: string, owed: readonly Owed[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.write(JSON.stringify(owed))
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
}
