/** `wheelwright checkpoint add FILE`: stores a file, and prints the CID by which everybody can fetch and check it. */
import { readBytes, sizeOfFile } from './checkpoint-file.ts'
import { withStore } from './checkpoint-open.ts'
import type { PINNED_FLAGS } from './checkpoint-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, writeJson } from './io.ts'
import { bytesText, createProgress } from './progress.ts'
import { CLOCK } from './system.ts'

export async function run(
  flags: FlagValues<typeof PINNED_FLAGS>,
  io: Io,
  [path = '']: readonly string[],
): Promise<void> {
  const totalBytes = await sizeOfFile(path)
  const added = await withStore(flags, async ({ store }) => {
    const progress = createProgress('storing', io, CLOCK)
    try {
      const source = readBytes(path, (doneBytes) => progress.update({ doneBytes, totalBytes }))
      const cuts = path.endsWith('.safetensors') ? ({ cuts: 'safetensors', bytes: totalBytes } as const) : {}
      const file = await store.addFile(source, { ...cuts, signal: io.signal })
      if (flags.pin !== undefined) await store.pin(file.cid, { name: flags.pin, cycle: flags.cycle })
      return file
    } finally {
      progress.end()
    }
  })
  const { cid, bytes, sha256 } = added
  if (flags.json) return writeJson(io.stdout, { cid: String(cid), bytes, sha256 })
  io.stdout.write(`${cid}\n  ${bytesText(bytes)}, SHA-256 ${sha256}\n`)
}
