/** `wheelwright checkpoint export` and `import`: CAR files, which carry a checkpoint where no peer can. */
import { NodeError } from '../errors.ts'
import { demandWritable, readBytes, sizeOfFile, writeAside } from './checkpoint-file.ts'
import { cidOf, demandWhole, type OpenedStore, withKnownStore, withStore } from './checkpoint-open.ts'
import type { EXPORT_FLAGS, PINNED_FLAGS } from './checkpoint-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'
import { bytesText, createProgress } from './progress.ts'
import { CLOCK } from './system.ts'

export async function exportFile(
  { out, json, ...choice }: FlagValues<typeof EXPORT_FLAGS>,
  io: Io,
  [word = '']: readonly string[],
): Promise<void> {
  const cid = cidOf(word)
  if (out === undefined) {
    throw new NodeError('USAGE', {
      what: '--out is missing',
      why: 'a CAR has to go somewhere',
      remedy: 'Say --out F.car.',
    })
  }
  await demandWritable(out)
  let bytes = 0
  const work = async ({ store }: OpenedStore): Promise<void> => {
    await demandWhole(store, cid)
    await writeAside(out, (sink) =>
      store.exportCar(
        cid,
        async (part) => {
          await sink(part)
          bytes += part.length
        },
        io,
      ),
    )
  }
  await withKnownStore(choice, work, { json, io })
  if (json) return writeJson(io.stdout, { cid: String(cid), out, bytes })
  io.stdout.write(`${printable(out)}: ${bytesText(bytes)}\n`)
}

export async function importFile(
  { pin, cycle, json, ...choice }: FlagValues<typeof PINNED_FLAGS>,
  io: Io,
  [path = '']: readonly string[],
): Promise<void> {
  const totalBytes = await sizeOfFile(path)
  const verdict = await withStore(choice, async ({ store }) => {
    const progress = createProgress('storing', io, CLOCK)
    const source = readBytes(path, (doneBytes) => progress.update({ doneBytes, totalBytes }))
    const judged = await store.importCar(source, io).finally(progress.end)
    if (judged.kind === 'reject' || pin === undefined) return judged
    for (const root of judged.roots) {
      await demandWhole(store, root)
      await store.pin(root, { name: pin, cycle })
    }
    return judged
  })
  if (verdict.kind === 'reject') {
    throw new NodeError('CAR_INVALID', {
      what: `${printable(path)} was not imported to its end`,
      why: `${verdict.why}; ${verdict.blocks} blocks before it were`,
      data: { path, blocks: verdict.blocks },
    })
  }
  const roots = verdict.roots.map(String)
  if (json) return writeJson(io.stdout, { roots, blocks: verdict.blocks, bytes: verdict.bytes })
  io.stdout.write(`${roots.join('\n')}\n  ${verdict.blocks} blocks, ${bytesText(verdict.bytes)}\n`)
}
