/**
 * `wheelwright checkpoint get CID`: fetches a checkpoint into the store, and from there into a file.
 *
 * The store is what a fetch that was stopped leaves behind, so the next one asks for what is missing alone. The file gets
 * its name when all of it is on the disk.
 */
import { createHash } from 'node:crypto'
import type { CID } from 'multiformats/cid'
import { NodeError } from '../errors.ts'
import type { Store } from '../p2p/store/index.ts'
import { fetchCheckpoint } from './checkpoint-fetch.ts'
import { demandWritable, writeAside } from './checkpoint-file.ts'
import { cidOf, type OpenedStore, withStore } from './checkpoint-open.ts'
import type { GET_FLAGS } from './checkpoint-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'
import { withPassportOf } from './peer-flags.ts'
import { bytesText, createProgress } from './progress.ts'
import { CLOCK } from './system.ts'

export async function run(flags: FlagValues<typeof GET_FLAGS>, io: Io, [word = '']: readonly string[]): Promise<void> {
  const cid = cidOf(word)
  const { out, pin, cycle, json, from, listen, dir } = flags
  if (out !== undefined) await demandWritable(out)
  const got = await withPassportOf(flags, io, (passport) => {
    const work = async ({ store }: OpenedStore) => {
      const bring = (listening: string) =>
        fetchCheckpoint(store, { cid, from, listen: listening, dir, json, passport }, io)
      const fetched = await bring(listen)
      const written = await writeOut(store, cid, { out, io }).catch(async (error) => {
        // A block that was here is damaged, which shows when it is read: now it is gone, and can be fetched. Whoever was told
        // where to find this peer need not hear it twice.
        if (!(error instanceof NodeError && error.code === 'BLOB_UNAVAILABLE') || from === '') throw error
        const { receivedBytes, dropped } = await bring('')
        const sum = { receivedBytes: fetched.receivedBytes + receivedBytes, dropped: [...fetched.dropped, ...dropped] }
        return { ...(await writeOut(store, cid, { out, io })), ...sum }
      })
      if (pin !== undefined) await store.pin(cid, { name: pin, cycle })
      return { ...fetched, ...written }
    }
    return withStore(flags, work, { json, io })
  })
  if (json) return writeJson(io.stdout, { cid: String(cid), ...got, ...(out === undefined ? {} : { out }) })
  const place = out === undefined ? '' : `${printable(out)}: `
  const share = got.receivedBytes === 0 ? 'all of it was here' : `${bytesText(got.receivedBytes)} received`
  io.stdout.write(`${place}${bytesText(got.bytes)}, ${share}, SHA-256 ${got.sha256}\n`)
  for (const { peer, misdeed } of got.dropped) io.stderr.write(`${peer} is not asked any more: ${misdeed}\n`)
}

type Target = { readonly out: string | undefined; readonly io: Io }

/** Reads all of it once more, whether it is written or not: what is printed is the hash of what the disk gave back. */
async function writeOut(store: Store, cid: CID, { out, io }: Target) {
  const hash = createHash('sha256')
  const layout = await store.fileLayout(cid, io)
  const totalBytes = layout.kind === 'file' ? layout.bytes : 0
  const progress = createProgress(out === undefined ? 'checking' : 'writing', io, CLOCK)
  let bytes = 0
  const copy = async (sink: (part: Uint8Array) => Promise<void>): Promise<void> => {
    for await (const part of store.readFile(cid, io)) {
      hash.update(part)
      await sink(part)
      bytes += part.length
      progress.update({ doneBytes: bytes, totalBytes })
    }
  }
  try {
    await (out === undefined ? copy(async () => undefined) : writeAside(out, copy))
  } finally {
    progress.end()
  }
  return { bytes, sha256: hash.digest('hex') }
}
