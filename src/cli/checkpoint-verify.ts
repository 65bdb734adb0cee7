/** `wheelwright checkpoint verify`: hashes blocks again where they lie; what is not what it was is named and removed. */
import type { CID } from 'multiformats/cid'
import { NodeError } from '../errors.ts'
import { DAG_PB } from '../p2p/store/cid.ts'
import type { Store } from '../p2p/store/index.ts'
import { cidOf, type OpenedStore, withKnownStore } from './checkpoint-open.ts'
import type { STORE_FLAGS } from './checkpoint-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'
import { bytesText, createProgress, type Progress } from './progress.ts'
import { CLOCK } from './system.ts'

/** A pin of which a block is missing, whoever lost it. */
type Broken = { readonly cid: string; readonly name: string }
type Checked = { readonly blocks: number; readonly bytes: number; readonly missing: readonly string[] }
type Check = { readonly io: Io; readonly progress: Progress }

export async function run(flags: FlagValues<typeof STORE_FLAGS>, io: Io, [word]: readonly string[]): Promise<void> {
  const root = word === undefined ? null : cidOf(word)
  await withKnownStore(flags, async ({ store, damaged }) => {
    const progress = createProgress('checking', io, CLOCK)
    const check = { io, progress }
    const checked = await (root === null ? checkAll(store, check) : checkOne(store, root, check)).finally(progress.end)
    const broken = (await store.ls(io)).filter(({ isWhole }) => !isWhole).map(({ cid, name }) => ({ cid, name }))
    const names = damaged.map(({ cid }) => cid)
    const told = { ...checked, missing: checked.missing.filter((cid) => !names.includes(cid)), damaged: names, broken }
    if (flags.json) writeJson(io.stdout, told)
    else io.stdout.write(textOf(told))
    judge(root, { checked, damaged, broken })
  })
}

type Told = Checked & { readonly damaged: readonly string[]; readonly broken: readonly Broken[] }

function textOf({ blocks, bytes, damaged, missing, broken }: Told): string {
  const lines = [
    ...damaged.map((cid) => `damaged  ${cid}`),
    ...missing.map((cid) => `missing  ${cid}`),
    ...broken.map(({ cid, name }) => `not whole  ${printable(name)}  ${cid}`),
    `${blocks} sound blocks, ${bytesText(bytes)}`,
  ]
  return `${lines.join('\n')}\n`
}

type Findings = {
  readonly checked: Checked
  readonly damaged: OpenedStore['damaged']
  readonly broken: readonly Broken[]
}

/** Throws when anything was wrong, and names the pins that suffer. */
function judge(root: CID | null, { checked, damaged, broken }: Findings): void {
  const names = broken.map(({ name }) => printable(name)).join(', ')
  if (damaged.length > 0) {
    throw new NodeError('BLOB_DAMAGED', {
      what: damaged.length === 1 ? 'one block was damaged' : `${damaged.length} blocks were damaged`,
      why: broken.length === 0 ? 'no pin needs them' : `not whole any more: ${names}`,
      data: { blocks: damaged.length },
    })
  }
  if (checked.missing.length > 0) {
    throw new NodeError('BLOB_UNAVAILABLE', {
      what: `${root} is not whole`,
      why: `blocks are missing, ${checked.missing.length} at least`,
      remedy: `Fetch them with \`wheelwright checkpoint get ${root} --from ADDRESS\`.`,
      data: { missing: checked.missing.length },
    })
  }
  const [first] = broken
  if (root === null && first !== undefined) {
    throw new NodeError('BLOB_UNAVAILABLE', {
      what: broken.length === 1 ? 'one pin is not whole' : `${broken.length} pins are not whole`,
      why: `blocks are missing of ${names}`,
      remedy: `Fetch them with \`wheelwright checkpoint get ${first.cid} --from ADDRESS\`, or take the pin away with \`unpin\`.`,
      data: { pins: broken.length },
    })
  }
}

async function checkAll(store: Store, { io, progress }: Check): Promise<Checked> {
  const totalBytes = store.blocks.usedBytes()
  let [blocks, bytes] = [0, 0]
  for await (const block of store.blocks.cids()) {
    if ((await store.blocks.get(block.cid, io)) === null) continue
    blocks++
    bytes += block.bytes
    progress.update({ doneBytes: bytes, totalBytes })
  }
  return { blocks, bytes, missing: [] }
}

/** Its nodes are checked by walking them, and then each leaf. */
async function checkOne(store: Store, root: CID, { io, progress }: Check): Promise<Checked> {
  const layout = await store.fileLayout(root, io)
  if (layout.kind === 'malformed') {
    throw new NodeError('BLOB_MALFORMED', { what: `${root} is no file`, why: layout.why })
  }
  if (layout.kind === 'incomplete') return { blocks: 0, bytes: 0, missing: layout.missing.map(String) }
  const missing: string[] = []
  let [blocks, bytes] = [0, 0]
  for (const leaf of layout.leaves) {
    if (leaf.cid.code === DAG_PB || (await isSound(store, leaf.cid, io))) {
      blocks++
      bytes += leaf.bytes
      progress.update({ doneBytes: bytes, totalBytes: layout.bytes })
    } else missing.push(String(leaf.cid))
  }
  return { blocks, bytes, missing }
}

/** Through a reader, which knows what is withheld too. */
async function isSound(store: Store, leaf: CID, io: Io): Promise<boolean> {
  try {
    for await (const _ of store.readFile(leaf, io));
    return true
  } catch (error) {
    if (error instanceof NodeError && error.code === 'BLOB_UNAVAILABLE') return false
    throw error
  }
}
