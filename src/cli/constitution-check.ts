/** `wheelwright constitution check FILE`: judges a constitution; one clear sentence names the field that is wrong. */
import { open } from 'node:fs/promises'
import { NodeError } from '../errors.ts'
import { cycleBlocks, deadlinesOf } from '../protocol/clock.ts'
import { type Constitution, constitutionCid, parseConstitution } from '../protocol/constitution.ts'
import { repeatedKey } from '../protocol/json-reader.ts'
import { CONSTITUTION_BYTES_MAX } from '../protocol/limits.ts'
import { Flaw } from '../protocol/schema.ts'
import { groupsOf } from '../protocol/track.ts'
import type { FlagValues } from './command.ts'
import type { CONSTITUTION_CHECK_FLAGS } from './command-table.ts'
import { type Io, printable, writeJson } from './io.ts'

/** JSON is at most this many times as long as the canonical bytes: hex doubles, keys repeat. */
const TEXT_BYTES_MAX = 4 * CONSTITUTION_BYTES_MAX

export async function run(
  { json }: FlagValues<typeof CONSTITUTION_CHECK_FLAGS>,
  io: Io,
  [file = '']: readonly string[],
): Promise<void> {
  const constitution = await readConstitution(file)
  const cid = constitutionCid(constitution)
  const cycle = cycleBlocks(constitution)
  const deadlines = deadlinesOf(constitution, constitution.start.cycle)
  if (json) return writeJson(io.stdout, { cid, cycleBlocks: cycle, deadlines, groups: groupsOf(constitution).length })
  const { first: _, cycle: __, ...named } = deadlines
  const offsets = Object.entries(named).map(([name, block]) => `${name} ${block - deadlines.first}`)
  io.stdout.write(
    `${cid}\n  ${groupsOf(constitution).length} groups, cycles of ${cycle} blocks\n  last blocks: ${offsets.join(', ')}\n`,
  )
}

/** Reads and judges a constitution that a person wrote. */
export async function readConstitution(file: string): Promise<Constitution> {
  const text = await readText(file)
  const json = parseJson(text, file)
  const twice = repeatedKey(text)
  const constitution = twice === null ? parseConstitution(json) : new Flaw(twice, 'comes twice')
  if (!(constitution instanceof Flaw)) return constitution
  throw new NodeError('CONSTITUTION_INVALID', {
    what: `${printable(file)}: ${printable(constitution.field)} ${printable(constitution.problem)}`,
    why: 'all peers must read the same rules, so nothing in them may be missing, unknown or impossible',
    data: { file, field: constitution.field, problem: constitution.problem },
  })
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new NodeError('CONSTITUTION_INVALID', {
      what: `${printable(file)} is not JSON`,
      why: printable(error instanceof Error ? error.message : String(error)),
      data: { file },
    })
  }
}

async function readText(file: string): Promise<string> {
  const unreadable = (why: string, cause?: unknown): NodeError =>
    new NodeError('FILE_UNREADABLE', { what: `${printable(file)} cannot be read`, why, data: { file }, cause })
  const handle = await open(file === '-' ? '/dev/stdin' : file).catch((error: Error) => {
    throw unreadable(printable(error.message), error)
  })
  try {
    const buffer = Buffer.alloc(TEXT_BYTES_MAX + 1)
    let length = 0
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length)
      length += bytesRead
      if (length > TEXT_BYTES_MAX) throw unreadable(`it has more than ${TEXT_BYTES_MAX} bytes`)
      if (bytesRead === 0) return buffer.toString('utf8', 0, length)
    }
  } catch (error) {
    if (error instanceof NodeError) throw error
    throw unreadable(printable(String(error)), error) // a folder, for instance
  } finally {
    await handle.close()
  }
}
