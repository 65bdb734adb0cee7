/**
 * Judges a safetensors header before a byte of a tensor is read, and writes headers of our own.
 *
 * A file is eight bytes of header length, a JSON header and the data. `JSON.parse` would keep the last of two equal keys
 * in silence and build whatever a peer nests, so this is a strict parser of exactly the one grammar: no recursion, one
 * pass, memory in proportion to the header, and an answer instead of an exception. Stricter than the reference: closed
 * dtypes and names, no unknown fields (security notes).
 */
import { assert } from '../util/assert.ts'
import { utf8 } from '../util/bytes.ts'
import { compareText } from '../util/compare.ts'
import { atEnd, type Cursor, isUnicode, readNaturals, readObject, readString } from './json-reader.ts'
import {
  byteLength,
  DTYPES,
  type Dtype,
  isDtype,
  isTensorName,
  TENSOR_BYTES_MAX,
  TENSOR_DIM_MAX,
  TENSOR_NAME_CHARS_MAX,
  TENSOR_RANK_MAX,
  type TensorKind,
} from './tensor.ts'

export type NamedTensor = TensorKind & { readonly name: string }
/** Bytes `begin` to `end` of the data, which starts right after the header. */
export type SafetensorsTensor = NamedTensor & { readonly begin: number; readonly end: number }

export type SafetensorsLimits = {
  readonly headerBytesMax: number
  readonly tensorsMax: number
  readonly metadataEntriesMax: number
}

/**
 * The reference implementation stops at 100 MB. Ours stops at 16 MiB, because a peer makes us parse it: a mixture of 58
 * layers of 256 experts with three matrices and three scales each has 89,088 tensors, at 130 characters 11.6 MB.
 * Trainers write their settings as metadata, about a hundred entries.
 */
export const SAFETENSORS_LIMITS: SafetensorsLimits = {
  headerBytesMax: 16 * 2 ** 20,
  tensorsMax: 2 ** 17,
  metadataEntriesMax: 1024,
}

export const SAFETENSORS_CODES = [
  'SAFETENSORS_TOO_SHORT',
  'SAFETENSORS_HEADER_TOO_LONG',
  'SAFETENSORS_HEADER_NOT_JSON',
  'SAFETENSORS_DUPLICATE_KEY',
  'SAFETENSORS_FIELD',
  'SAFETENSORS_METADATA',
  'SAFETENSORS_NAME',
  'SAFETENSORS_DTYPE',
  'SAFETENSORS_SHAPE',
  'SAFETENSORS_OFFSETS',
  'SAFETENSORS_OVERLAP',
  'SAFETENSORS_GAP',
  'SAFETENSORS_LENGTH_MISMATCH',
  'SAFETENSORS_TOO_MANY',
] as const
export type SafetensorsCode = (typeof SAFETENSORS_CODES)[number]

/** `field` and `problem` never quote more of the file than a tensor's name that has passed. */
export type SafetensorsReject = {
  readonly kind: 'reject'
  readonly code: SafetensorsCode
  readonly field: string
  readonly problem: string
}

export type SafetensorsVerdict =
  | {
      readonly kind: 'accept'
      /** In the order of their bytes. */
      readonly tensors: readonly SafetensorsTensor[]
      readonly metadata: ReadonlyMap<string, string>
    }
  | SafetensorsReject

const LENGTH_BYTES = 8
/** Keeps the data of a mapped file aligned for every dtype. */
const ALIGNMENT_BYTES = 8
const METADATA = '__metadata__'

const refuse = (code: SafetensorsCode, field: string, problem: string): SafetensorsReject => ({
  kind: 'reject',
  code,
  field,
  problem,
})

/** The length of the header, from the first eight bytes of a file. Nothing is read or allocated before this. */
export function readHeaderLength(
  first8: Uint8Array,
  fileBytes: number,
  { headerBytesMax }: Pick<SafetensorsLimits, 'headerBytesMax'> = SAFETENSORS_LIMITS,
): number | SafetensorsReject {
  if (!Number.isSafeInteger(fileBytes) || fileBytes < LENGTH_BYTES || first8.length < LENGTH_BYTES) {
    return refuse('SAFETENSORS_TOO_SHORT', 'header length', 'a file begins with eight bytes of header length')
  }
  const view = new DataView(first8.buffer, first8.byteOffset, LENGTH_BYTES)
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32
  if (length > headerBytesMax) {
    return refuse('SAFETENSORS_HEADER_TOO_LONG', 'header length', `a header has at most ${headerBytesMax} bytes`)
  }
  if (LENGTH_BYTES + length > fileBytes) {
    return refuse('SAFETENSORS_TOO_SHORT', 'header length', 'the file ends inside its header')
  }
  return length
}

/** `header` is what follows the first eight bytes; `fileBytes` is the length of the whole file. */
export function judgeSafetensors(
  header: Uint8Array,
  fileBytes: number,
  limits: Partial<SafetensorsLimits> = {},
): SafetensorsVerdict {
  const bounds: SafetensorsLimits = { ...SAFETENSORS_LIMITS, ...limits }
  if (header.length > bounds.headerBytesMax) {
    return refuse('SAFETENSORS_HEADER_TOO_LONG', 'header', `a header has at most ${bounds.headerBytesMax} bytes`)
  }
  const dataBytes = fileBytes - LENGTH_BYTES - header.length
  if (!Number.isSafeInteger(dataBytes) || dataBytes < 0) {
    return refuse('SAFETENSORS_TOO_SHORT', 'header', 'the file ends inside its header')
  }
  if (header[0] !== 0x7b) return refuse('SAFETENSORS_HEADER_NOT_JSON', 'header', 'a header begins with {')
  const text = decodeUtf8(header)
  if (text === null) return refuse('SAFETENSORS_HEADER_NOT_JSON', 'header', 'the header is not UTF-8')

  const reading: Reading = { text, at: 0, flaw: null }
  const content = readHeader(reading, dataBytes, bounds)
  if (content === null) return reading.flaw ?? unreadable(reading)
  const tensors = content.tensors.sort((a, b) => a.begin - b.begin || a.end - b.end)
  return judgeCover(tensors, dataBytes) ?? { kind: 'accept', tensors, metadata: content.metadata }
}

/** Every byte of the data belongs to exactly one tensor: nothing is hidden between them, nothing is read twice. */
function judgeCover(tensors: readonly SafetensorsTensor[], dataBytes: number): SafetensorsReject | null {
  let covered = 0
  for (const { name, begin, end } of tensors) {
    const field = `${name}: data_offsets`
    if (begin < covered) return refuse('SAFETENSORS_OVERLAP', field, `byte ${begin} belongs to another tensor too`)
    if (begin > covered) return refuse('SAFETENSORS_GAP', field, `bytes ${covered} to ${begin} belong to no tensor`)
    covered = end
  }
  if (covered === dataBytes) return null
  return refuse('SAFETENSORS_GAP', 'data', `bytes ${covered} to ${dataBytes} belong to no tensor`)
}

/** A reader that answers null or false has left the grammar; the first thing that was wrong is kept here. */
type Reading = Cursor & { flaw: SafetensorsReject | null }

const unreadable = ({ at }: Cursor): SafetensorsReject =>
  refuse('SAFETENSORS_HEADER_NOT_JSON', 'header', `character ${at} does not continue a safetensors header`)

function fail(reading: Reading, code: SafetensorsCode, field: string, problem: string): null {
  reading.flaw ??= refuse(code, field, problem)
  return null
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null // The decoder has no other way to say that the bytes are not UTF-8.
  }
}

type Content = { readonly tensors: SafetensorsTensor[]; readonly metadata: ReadonlyMap<string, string> }

function readHeader(reading: Reading, dataBytes: number, limits: SafetensorsLimits): Content | null {
  const tensors: SafetensorsTensor[] = []
  const names = new Set<string>()
  const found: { metadata: ReadonlyMap<string, string> | null } = { metadata: null }
  const complete = readObject(reading, (name) => {
    if (name === METADATA) {
      if (found.metadata !== null) return fail(reading, 'SAFETENSORS_DUPLICATE_KEY', METADATA, 'they come twice')
      found.metadata = readMetadata(reading, limits.metadataEntriesMax)
      return found.metadata !== null
    }
    if (tensors.length === limits.tensorsMax) {
      return fail(reading, 'SAFETENSORS_TOO_MANY', 'tensors', `a file has at most ${limits.tensorsMax} tensors`)
    }
    if (!isTensorName(name)) return fail(reading, 'SAFETENSORS_NAME', `tensors[${tensors.length}]`, NAME_PROBLEM)
    if (names.has(name)) return fail(reading, 'SAFETENSORS_DUPLICATE_KEY', name, 'the name comes twice')
    names.add(name)
    const tensor = readTensor(reading, name, dataBytes)
    if (tensor === null) return null
    tensors.push(tensor)
    return true
  })
  if (!complete || !atEnd(reading)) return null
  return { tensors, metadata: found.metadata ?? new Map() }
}

const NAME_PROBLEM = `a name is 1 to ${TENSOR_NAME_CHARS_MAX} characters of A-Z a-z 0-9 . _ - / and not reserved`
const SHAPE_PROBLEM = `a shape is a list of at most ${TENSOR_RANK_MAX} whole numbers up to ${TENSOR_DIM_MAX} in plain digits`
const OFFSETS_PROBLEM = 'offsets are [begin, end] in plain digits, begin <= end, inside the data'

function readMetadata(reading: Reading, entriesMax: number): ReadonlyMap<string, string> | null {
  const metadata = new Map<string, string>()
  const complete = readObject(reading, (key) => {
    if (metadata.has(key)) return fail(reading, 'SAFETENSORS_DUPLICATE_KEY', METADATA, 'a key comes twice')
    if (metadata.size === entriesMax) {
      return fail(reading, 'SAFETENSORS_TOO_MANY', METADATA, `metadata have at most ${entriesMax} entries`)
    }
    const value = readString(reading)
    if (value === null) return fail(reading, 'SAFETENSORS_METADATA', METADATA, 'metadata map strings to strings')
    metadata.set(key, value)
    return true
  })
  return complete ? metadata : fail(reading, 'SAFETENSORS_METADATA', METADATA, 'metadata map strings to strings')
}

function readTensor(reading: Reading, name: string, dataBytes: number): SafetensorsTensor | null {
  const found: { dtype?: Dtype; shape?: readonly number[]; data_offsets?: readonly number[] } = {}
  const complete = readObject(reading, (key) => {
    if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets') {
      return fail(reading, 'SAFETENSORS_FIELD', name, FIELD_PROBLEM)
    }
    const field = `${name}: ${key}`
    if (found[key] !== undefined) return fail(reading, 'SAFETENSORS_DUPLICATE_KEY', field, 'the field comes twice')
    if (key === 'dtype') {
      const dtype = readString(reading)
      if (dtype === null || !isDtype(dtype)) return fail(reading, 'SAFETENSORS_DTYPE', field, DTYPE_PROBLEM)
      found.dtype = dtype
    } else if (key === 'shape') {
      const shape = readNaturals(reading, TENSOR_RANK_MAX, TENSOR_DIM_MAX)
      if (shape === null) return fail(reading, 'SAFETENSORS_SHAPE', field, SHAPE_PROBLEM)
      found.shape = shape
    } else {
      const offsets = readNaturals(reading, 2, dataBytes)
      if (offsets === null) return fail(reading, 'SAFETENSORS_OFFSETS', field, OFFSETS_PROBLEM)
      found.data_offsets = offsets
    }
    return true
  })
  if (!complete) return null
  const { dtype, shape, data_offsets: offsets } = found
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    return fail(reading, 'SAFETENSORS_FIELD', name, FIELD_PROBLEM)
  }
  return judgeTensor(reading, { name, dtype, shape }, offsets)
}

const DTYPE_PROBLEM = `a dtype is one of ${Object.keys(DTYPES).join(' ')}`
const FIELD_PROBLEM = 'a tensor has dtype, shape and data_offsets, and nothing else'

function judgeTensor(reading: Reading, tensor: NamedTensor, offsets: readonly number[]): SafetensorsTensor | null {
  const { name, dtype, shape } = tensor
  const [begin, end] = offsets
  if (begin === undefined || end === undefined || begin > end) {
    return fail(reading, 'SAFETENSORS_OFFSETS', `${name}: data_offsets`, OFFSETS_PROBLEM)
  }
  const bytes = byteLength(dtype, shape)
  if (bytes === null) {
    return fail(reading, 'SAFETENSORS_SHAPE', `${name}: shape`, `a tensor has at most ${TENSOR_BYTES_MAX} bytes`)
  }
  if (bytes !== end - begin) {
    const problem = `${dtype} [${shape.join(', ')}] has ${bytes} bytes, the offsets span ${end - begin}`
    return fail(reading, 'SAFETENSORS_LENGTH_MISMATCH', `${name}: data_offsets`, problem)
  }
  return { name, dtype, shape, begin, end }
}

export type SafetensorsHeader = {
  /** What the file begins with: eight bytes of length and the header, a multiple of eight together. */
  readonly prefix: Uint8Array
  readonly tensors: readonly SafetensorsTensor[]
  readonly fileBytes: number
}

/**
 * Our own spelling: tensors in the given order, which is also the order of the data; fields in the order dtype, shape,
 * data_offsets; metadata first and by key; no white space but the padding, which keeps the data aligned to eight bytes.
 */
export function encodeSafetensorsHeader(
  tensors: readonly NamedTensor[],
  metadata: ReadonlyMap<string, string> = new Map(),
): SafetensorsHeader {
  assert(new Set(tensors.map(({ name }) => name)).size === tensors.length, 'our own tensors have different names')
  const placed: SafetensorsTensor[] = []
  let end = 0
  for (const { name, dtype, shape } of tensors) {
    const bytes = byteLength(dtype, shape)
    assert(isTensorName(name) && bytes !== null, 'our own tensors keep the limits')
    placed.push({ name, dtype, shape, begin: end, end: end + bytes })
    end += bytes
  }
  assert(Number.isSafeInteger(end), 'the end of a file is an exact number')

  const entries = placed.map(
    ({ name, dtype, shape, begin, end }) =>
      `"${name}":{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${begin},${end}]}`,
  )
  if (metadata.size > 0) entries.unshift(`"${METADATA}":${encodeMetadata(metadata)}`)
  const header = utf8(`{${entries.join(',')}}`)
  const headerBytes = Math.ceil(header.length / ALIGNMENT_BYTES) * ALIGNMENT_BYTES
  const prefix = new Uint8Array(LENGTH_BYTES + headerBytes).fill(0x20)
  new DataView(prefix.buffer).setBigUint64(0, BigInt(headerBytes), true)
  prefix.set(header, LENGTH_BYTES)
  return { prefix, tensors: placed, fileBytes: prefix.length + end }
}

function encodeMetadata(metadata: ReadonlyMap<string, string>): string {
  const entries = [...metadata].sort(([a], [b]) => compareText(a, b))
  for (const entry of entries) assert(entry.every(isUnicode), 'our own metadata are Unicode')
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`
}
