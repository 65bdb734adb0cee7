/**
 * What an operator or a node keeps for good, under a name and with the cycle that it belongs to. All pins are one small
 * file, replaced as a whole: a crash leaves the old list or the new one.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { NodeError } from '../../errors.ts'
import { utf8 } from '../../util/bytes.ts'
import { createQueue } from '../../util/queue.ts'
import { parseCid } from './cid.ts'
import { isMissing, onDisk, syncDirectory, writeWhole } from './disk-file.ts'

export type Pin = { readonly cid: string; readonly name: string; readonly cycle: number }

export type Pins = {
  list(): readonly Pin[]
  /** One CID may be pinned under several names; the same name again changes the cycle. */
  add(pin: Pin): Promise<void>
  remove(pin: Pick<Pin, 'cid' | 'name'>): Promise<void>
}

/** `write` resolves when the text is safe. */
export type PinFile = { read(): Promise<string | null>; write(text: string): Promise<void> }

export async function openPins(file: PinFile): Promise<Pins> {
  let pins = parsePins(await file.read())
  const inTurn = createQueue()
  const change = (after: (before: readonly Pin[]) => readonly Pin[]): Promise<void> =>
    inTurn(async () => {
      const next = after(pins)
      await file.write(`${JSON.stringify({ format: FORMAT, pins: next }, null, 1)}\n`)
      pins = next
    })
  return {
    list: () => pins,
    add: (pin) => change((before) => [...before.filter((one) => !isSame(one, pin)), pin]),
    remove: (pin) => change((before) => before.filter((one) => !isSame(one, pin))),
  }
}

const FORMAT = 1
const isSame = (a: Pick<Pin, 'cid' | 'name'>, b: Pick<Pin, 'cid' | 'name'>) => a.cid === b.cid && a.name === b.name

/** Never taken for empty when it is not understood: what nobody pinned is freed. */
function parsePins(text: string | null): readonly Pin[] {
  if (text === null) return []
  try {
    const { format, pins } = JSON.parse(text)
    if (format === FORMAT && Array.isArray(pins) && pins.every(isPin)) {
      return pins.map(({ cid, name, cycle }) => ({ cid, name, cycle }))
    }
  } catch {
    // It is not JSON: said below.
  }
  throw new NodeError('STORE_DAMAGED', {
    what: 'the list of pins cannot be used',
    why: 'it is not what the store wrote',
  })
}

const isPin = (value: unknown): value is Pin =>
  typeof value === 'object' &&
  value !== null &&
  'cid' in value &&
  typeof value.cid === 'string' &&
  parseCid(value.cid) !== null &&
  'name' in value &&
  typeof value.name === 'string' &&
  'cycle' in value &&
  Number.isSafeInteger(value.cycle)

export function createPinFile(path: string): PinFile {
  return {
    read: () =>
      onDisk(path, () =>
        readFile(path, 'utf8').catch((error: unknown) => {
          if (isMissing(error)) return null
          throw error
        }),
      ),
    write: (text) =>
      onDisk(path, async () => {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 })
        await writeWhole(path, `${path}.fresh`, utf8(text), true)
        await syncDirectory(dirname(path))
      }),
  }
}

export function createMemoryPinFile(): PinFile {
  let held: string | null = null
  return {
    read: async () => held,
    write: async (text) => {
      held = text
    },
  }
}
