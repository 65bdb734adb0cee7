/** `wheelwright checkpoint ls`, `pin`, `unpin` and `gc`: what stays in the store, and for how long. */
import { NodeError } from '../errors.ts'
import { cidOf, demandWhole, withKnownStore } from './checkpoint-open.ts'
import type { PIN_FLAGS, STORE_FLAGS, UNPIN_FLAGS } from './checkpoint-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'
import { bytesText } from './progress.ts'

export const ls = (flags: FlagValues<typeof STORE_FLAGS>, io: Io): Promise<void> =>
  withKnownStore(flags, async ({ store }) => {
    const pins = await store.ls(io)
    const usedBytes = store.usedBytes()
    if (flags.json) return writeJson(io.stdout, { usedBytes, pins })
    for (const { cid, name, cycle, bytes, isWhole } of pins) {
      const size = bytesText(bytes).padStart(9)
      const mark = isWhole ? '' : '  not whole'
      io.stdout.write(`${printable(name).padEnd(20)} cycle ${String(cycle).padEnd(8)} ${size}  ${cid}${mark}\n`)
    }
    io.stdout.write(`${bytesText(usedBytes)} in the store, ${pins.length} pins\n`)
  })

export async function pin(flags: FlagValues<typeof PIN_FLAGS>, io: Io, [word = '']: readonly string[]): Promise<void> {
  const cid = cidOf(word)
  const { cycle } = flags
  const name = nameIn(flags)
  await withKnownStore(flags, async ({ store }) => {
    await demandWhole(store, cid)
    await store.pin(cid, { name, cycle })
  })
  if (flags.json) return writeJson(io.stdout, { cid: String(cid), name, cycle })
  io.stdout.write(`${cid} is kept as ${printable(name)}\n`)
}

export async function unpin(
  flags: FlagValues<typeof UNPIN_FLAGS>,
  io: Io,
  [word = '']: readonly string[],
): Promise<void> {
  const cid = cidOf(word)
  const name = nameIn(flags)
  await withKnownStore(flags, async ({ store }) => {
    const isPinned = (await store.ls(io)).some((each) => each.cid === String(cid) && each.name === name)
    if (!isPinned) {
      throw new NodeError('USAGE', {
        what: `${cid} is not pinned as ${printable(name)}`,
        why: 'no pin has this CID and this name',
        remedy: 'Look at `wheelwright checkpoint ls`.',
      })
    }
    await store.unpin(cid, name)
  })
  if (flags.json) return writeJson(io.stdout, { cid: String(cid), name })
  io.stdout.write(`${cid} is not kept as ${printable(name)} any more\n`)
}

function nameIn({ name }: { readonly name: string | undefined }): string {
  if (name !== undefined) return name
  throw new NodeError('USAGE', {
    what: '--name is missing',
    why: 'a pin has a name, by which it is taken away again',
    remedy: 'Give it one: --name base',
  })
}

export const gc = (flags: FlagValues<typeof STORE_FLAGS>, io: Io): Promise<void> =>
  withKnownStore(flags, async ({ store }) => {
    const { freedBytes } = await store.gc(io)
    const usedBytes = store.usedBytes()
    if (flags.json) return writeJson(io.stdout, { freedBytes, usedBytes })
    io.stdout.write(`${bytesText(freedBytes)} freed, ${bytesText(usedBytes)} left\n`)
  })
