/**
 * Where the leaves of a file end: every MiB, and wherever a cut is. Counting begins anew at a cut, so that equal stretches
 * between cuts become equal leaves, wherever in a file they lie.
 */
import { NodeError } from '../../errors.ts'
import { judgeSafetensors, readHeaderLength, type SafetensorsReject } from '../../protocol/safetensors.ts'
import { assert } from '../../util/assert.ts'
import { concat } from '../../util/bytes.ts'
import { LEAF_BYTES_MAX } from './limits.ts'

const LENGTH_BYTES = 8

/** `cuts` ascend; equal ones count once. Each leaf is fresh memory. */
export async function* cutLeaves(
  source: AsyncIterable<Uint8Array>,
  cuts: readonly number[],
): AsyncGenerator<Uint8Array, void> {
  let next = 0
  let at = 0
  const endAfter = (begin: number): number => {
    while ((cuts[next] ?? Number.POSITIVE_INFINITY) <= begin) next++
    return Math.min(begin + LEAF_BYTES_MAX, cuts[next] ?? Number.POSITIVE_INFINITY)
  }
  let leaf = new Uint8Array(endAfter(0))
  let filled = 0
  for await (const chunk of source) {
    for (let taken = 0; taken < chunk.length; ) {
      const part = chunk.subarray(taken, taken + leaf.length - filled)
      leaf.set(part, filled)
      filled += part.length
      taken += part.length
      if (filled < leaf.length) continue
      at += filled
      yield leaf
      leaf = new Uint8Array(endAfter(at) - at)
      filled = 0
    }
  }
  if (filled > 0) yield leaf.slice(0, filled)
}

export type Opened = {
  readonly cuts: readonly number[]
  /** The whole file, its header included. */
  readonly source: AsyncIterable<Uint8Array>
}

/**
 * The cuts of a safetensors file: after its header and after every tensor. Nothing behind the header is read before the
 * header is judged.
 */
export async function openSafetensors(source: AsyncIterable<Uint8Array>, fileBytes: number): Promise<Opened> {
  const stream = source[Symbol.asyncIterator]()
  let head: Uint8Array = new Uint8Array(0)
  const need = async (bytes: number): Promise<void> => {
    const parts = [head]
    for (let length = head.length; length < bytes; ) {
      const { done, value } = await stream.next()
      if (done === true) throw refusal('the file ends early', 'length')
      parts.push(value)
      length += value.length
    }
    head = concat(...parts)
  }
  try {
    if (fileBytes >= LENGTH_BYTES) await need(LENGTH_BYTES)
    const headerBytes = readHeaderLength(head, fileBytes)
    if (typeof headerBytes !== 'number') throw refused(headerBytes)
    const begin = LENGTH_BYTES + headerBytes
    await need(begin)
    const verdict = judgeSafetensors(head.subarray(LENGTH_BYTES, begin), fileBytes)
    if (verdict.kind === 'reject') throw refused(verdict)
    return { cuts: [begin, ...verdict.tensors.map(({ end }) => begin + end)], source: resume(head, stream) }
  } catch (error) {
    await stream.return?.()
    throw error
  }
}

async function* resume(head: Uint8Array, stream: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    yield head
    for (let step = await stream.next(); step.done !== true; step = await stream.next()) yield step.value
  } finally {
    await stream.return?.()
  }
}

/** The file has as many bytes as was said when its header was judged. */
export async function* exactly(source: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array, void> {
  let seen = 0
  for await (const chunk of source) {
    seen += chunk.length
    if (seen > bytes) break
    yield chunk
  }
  if (seen !== bytes) throw refusal(`it does not have the ${bytes} bytes that were announced`, 'length')
}

const refused = ({ code, field, problem }: SafetensorsReject): NodeError => refusal(`${field}: ${problem}`, code)

const refusal = (why: string, code: string): NodeError =>
  new NodeError('SAFETENSORS_INVALID', { what: 'a safetensors file was not stored', why, data: { code } })

/** Our own lists of cuts ascend, because each byte of a file belongs to one leaf. */
export function assertCuts(cuts: readonly number[]): void {
  assert(
    cuts.every((cut, i) => Number.isSafeInteger(cut) && cut >= (cuts[i - 1] ?? 0)),
    'cuts are positions in a file, in ascending order',
  )
}
