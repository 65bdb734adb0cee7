/** What the checkpoint commands share: the store that they work on, and the words of the command line about it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import { lockDirectory } from '../chain/lock.ts'
import { NodeError } from '../errors.ts'
import { parseCid } from '../p2p/store/cid.ts'
import type { Damage, Store } from '../p2p/store/index.ts'
import { openStore } from '../p2p/store/index.ts'
import { type Io, printable, writeJson } from './io.ts'
import { bucketOf } from './store-place.ts'
import { SILENT } from './system.ts'

export type StoreChoice = {
  readonly dir: string
  readonly quota: string
  /** In a bucket, and not in the directory. */
  readonly store?: string | undefined
}
export type OpenedStore = {
  readonly store: Store
  /** What was found damaged, and removed, so far. */
  readonly damaged: readonly Damage[]
}

/** What others on this machine need of the disk. */
const FREE_BYTES_MIN = 1024 ** 3
const UNITS: Readonly<Record<string, number>> = { '': 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3, tib: 1024 ** 4 }

/** Where damage is told as soon as it is found. */
type Audience = { readonly json: boolean; readonly io: Io }

/**
 * Runs with the store, which no other process has meanwhile, and closes it whatever happens. Without an audience, the work
 * itself tells what was damaged.
 */
export async function withStore<T>(
  choice: StoreChoice,
  work: (opened: OpenedStore) => Promise<T>,
  audience?: Audience,
): Promise<T> {
  const { dir, quota } = choice
  const s3 = choice.store === undefined ? undefined : bucketOf(choice.store)
  const damaged: Damage[] = []
  const untold: Damage[] = []
  let told = Promise.resolve()
  const onDamaged = (damage: Damage): void => {
    damaged.push(damage)
    if (audience === undefined) return
    if (untold.push(damage) === 1) told = told.then(() => tellDamage(store, untold.splice(0), audience))
  }
  const store: Store = await openStore(
    { dir, s3, quotaBytes: bytesOf(quota), freeBytesMin: FREE_BYTES_MIN },
    { log: SILENT, lock: (path) => lockDirectory(path), onDamaged },
  )
  try {
    return await work({ store, damaged })
  } finally {
    await told
    await store.close()
  }
}

/** With the pins that are not whole, because each of them may have lost it. */
async function tellDamage(store: Store, damages: readonly Damage[], { json, io }: Audience): Promise<void> {
  // A disk that damages blocks may not give back the next one either: the block is named all the same.
  const listed = await store.ls({ signal: new AbortController().signal }).catch(() => null)
  const pins = listed === null ? null : listed.filter(({ isWhole }) => !isWhole).map(({ name }) => name)
  const names = pins?.length === 0 ? 'none' : (pins?.map(printable).join(', ') ?? 'not known')
  for (const { cid } of damages) {
    io.stderr.write(`block ${cid} was damaged and is removed; pins that are not whole: ${names}\n`)
    if (json) writeJson(io.stdout, { damaged: cid, pins })
  }
}

/** The same for who only looks or takes away: a directory that is not there is a slip of the pen, and none is made. */
export async function withKnownStore<T>(
  choice: StoreChoice,
  work: (opened: OpenedStore) => Promise<T>,
  audience?: Audience,
): Promise<T> {
  const { dir, store } = choice
  if (store === undefined && !existsSync(join(dir, 'open'))) {
    throw new NodeError('STORE_UNAVAILABLE', {
      what: `there is no store in ${printable(dir)}`,
      why: 'nothing was added, fetched or imported there',
      remedy: 'Name the directory of the store with --dir, or begin one with `wheelwright checkpoint add FILE`.',
      data: { path: dir },
    })
  }
  return withStore(choice, work, audience)
}

export function bytesOf(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,15}) ?([a-z]*)$/.exec(text.toLowerCase()) ?? []
  const bytes = Number(digits) * (UNITS[unit] ?? Number.NaN)
  if (digits !== '' && Number.isSafeInteger(bytes)) return bytes
  throw new NodeError('USAGE', {
    what: `--quota cannot be '${printable(text)}'`,
    why: 'it takes a number of bytes, or one with KiB, MiB, GiB or TiB behind it',
  })
}

export function cidOf(text: string): CID {
  const cid = parseCid(text)
  if (cid !== null) return cid
  throw new NodeError('CID_INVALID', {
    what: `'${printable(text.slice(0, 100))}' is no CID of a checkpoint`,
    why: 'the store knows SHA-256 over raw blocks, dag-pb and dag-cbor',
  })
}

/** Throws unless every block of it is here. */
export async function demandWhole(store: Store, cid: CID): Promise<void> {
  if (await store.has(cid)) return
  throw new NodeError('BLOB_UNAVAILABLE', {
    what: `${cid} is not in this store as a whole`,
    why: 'one of its blocks is missing at least',
    remedy: `Fetch it with \`wheelwright checkpoint get ${cid} --from ADDRESS --out FILE\`.`,
    data: { cid: String(cid) },
  })
}
