/**
 * Manifests: which tensors a model has and which of them a submission changes (protocol §4).
 *
 * A tensor is a file of its own in the block store, so what did not change between cycles is neither sent nor stored
 * twice. A model's manifest is split into parts (the hub, the router, one per group) and those into pages of one block, so
 * that a new root shares the pages of every group that did not move, and taking a group back is taking back its pages.
 */

import { cidOf, decode, encode } from './codec.ts'
import { hotkeyShape } from './hotkey.ts'
import { BLOCK_MAX, FILES_MAX, GROUPS_MAX, MANIFEST_BYTES_MAX, PAGES_MAX, TENSORS_MAX } from './limits.ts'
import { nameShape } from './name.ts'
import { ascending, Flaw, id, integer, link, list, literal, record, row, type TypeOf, text, word } from './schema.ts'
import {
  byteLength,
  DTYPES,
  type Dtype,
  isTensorName,
  isTrainable,
  sameShape,
  TENSOR_BYTES_MAX,
  TENSOR_DIM_MAX,
  TENSOR_NAME_CHARS_MAX,
  TENSOR_RANK_MAX,
} from './tensor.ts'
import { ROUTER } from './track.ts'

export const tensorShape = row({
  name: text(new RegExp(`^.{1,${TENSOR_NAME_CHARS_MAX}}$`), 'a tensor name'),
  dtype: word(Object.keys(DTYPES) as Dtype[]),
  shape: list(integer(0, TENSOR_DIM_MAX), 0, TENSOR_RANK_MAX),
  bytes: integer(0, TENSOR_BYTES_MAX),
  /** SHA-256 of the tensor's frame (dtype, shape, length) and its bytes, as `tensorDigest` has it. */
  sha256: id(32),
  /** The bytes alone: a UnixFS file of raw leaves, chunks of 1 MiB, balanced; one chunk is a raw block. */
  cid: link,
})
export type TensorEntry = TypeOf<typeof tensorShape>
const tensors = ascending(tensorShape, 1, TENSORS_MAX, (tensor) => tensor.name)

export const submissionShape = record({
  network: link,
  cycle: integer(0, BLOCK_MAX),
  /** A group of the constitution, or `router`. */
  group: nameShape,
  /** The root that it was trained on. */
  base: link,
  hotkey: hotkeyShape,
  /** `values`: the new tensors whole, in the dtype of the base. */
  encoding: literal('values'),
  tensors,
})
export type Submission = TypeOf<typeof submissionShape>

export const pageShape = record({ tensors })
export type TensorPage = TypeOf<typeof pageShape>

export const modelShape = record({
  /** What else a model is made of: `config.json`, `tokenizer.json`. */
  files: ascending(
    row({ name: text(/^[A-Za-z0-9._-]{1,64}$/, 'a file name'), bytes: integer(0, TENSOR_BYTES_MAX), cid: link }),
    0,
    FILES_MAX,
    (file) => file.name,
  ),
  /** `hub`, `router` and the groups, each with the CIDs of its pages. */
  parts: ascending(row({ name: nameShape, pages: list(link, 0, PAGES_MAX) }), 1, GROUPS_MAX + 2, (part) => part.name),
})
export type ModelManifest = TypeOf<typeof modelShape>

const checkTensors = ({ tensors: entries }: TensorPage): Flaw | null => {
  for (const [i, tensor] of entries.entries()) {
    if (!isTensorName(tensor.name)) return new Flaw(`tensors[${i}].name`, 'is no tensor name')
    if (byteLength(tensor.dtype, tensor.shape) !== tensor.bytes) {
      return new Flaw(`tensors[${i}].bytes`, 'is not what dtype and shape come to')
    }
  }
  return null
}

export const encodeSubmission = (submission: Submission): Uint8Array => encode(submissionShape, submission)
export const encodePage = (page: TensorPage): Uint8Array => encode(pageShape, page)
export const encodeModel = (model: ModelManifest): Uint8Array => encode(modelShape, model)
export const modelCid = (model: ModelManifest): string => cidOf(encodeModel(model))

export function decodeSubmission(bytes: Uint8Array): Submission | Flaw {
  const submission = decode(submissionShape, bytes, MANIFEST_BYTES_MAX)
  return submission instanceof Flaw ? submission : (checkTensors(submission) ?? submission)
}

export function decodePage(bytes: Uint8Array): TensorPage | Flaw {
  const page = decode(pageShape, bytes, MANIFEST_BYTES_MAX)
  return page instanceof Flaw ? page : (checkTensors(page) ?? page)
}

export const decodeModel = (bytes: Uint8Array): ModelManifest | Flaw => decode(modelShape, bytes, MANIFEST_BYTES_MAX)

export const pagesOf = (model: ModelManifest, part: string): readonly string[] =>
  model.parts.find((p) => p.name === part)?.pages ?? []

/** The same model with other pages for one part. */
export const withPages = (model: ModelManifest, part: string, pages: readonly string[]): ModelManifest => ({
  ...model,
  parts: model.parts.map((p) => (p.name === part ? { name: part, pages } : p)),
})

/** Why a submission is worth nothing before a byte of a tensor was fetched. Ordered as they are checked. */
export type SubmissionCode =
  | 'MANIFEST_FOREIGN'
  | 'BASE_STALE'
  | 'ROUTER_CLOSED'
  | 'GROUP_UNKNOWN'
  | 'SUBMISSION_TOO_LARGE'
  | 'TENSOR_FOREIGN'
  | 'TENSOR_DTYPE'
  | 'TENSOR_SHAPE'

export type SubmissionView = {
  readonly network: string
  readonly cycle: number
  readonly hotkey: string
  /** The root of the cycle before: a delta against another one scores by luck and merges wrongly. */
  readonly base: string
  readonly bytesMax: number
  readonly routerOpen: boolean
  /** The tensors of a group (or of the router) in the base, or `undefined` when there is no such group. */
  readonly tensorsOf: (group: string) => ReadonlyMap<string, Pick<TensorEntry, 'dtype' | 'shape'>> | undefined
}

/** The first thing wrong with a manifest, or `null`. The hub is safe by construction: only a group's tensors pass. */
export function judgeSubmission(view: SubmissionView, submission: Submission): SubmissionCode | null {
  const { network, cycle, hotkey, group, base } = submission
  if (network !== view.network || cycle !== view.cycle || hotkey !== view.hotkey) return 'MANIFEST_FOREIGN'
  if (base !== view.base) return 'BASE_STALE'
  if (group === ROUTER && !view.routerOpen) return 'ROUTER_CLOSED'
  const allowed = view.tensorsOf(group)
  if (allowed === undefined) return 'GROUP_UNKNOWN'
  const bytes = submission.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0)
  if (bytes > view.bytesMax) return 'SUBMISSION_TOO_LARGE'
  for (const tensor of submission.tensors) {
    const expected = allowed.get(tensor.name)
    if (expected === undefined) return 'TENSOR_FOREIGN'
    if (tensor.dtype !== expected.dtype || !isTrainable(tensor.dtype)) return 'TENSOR_DTYPE'
    if (!sameShape(tensor.shape, expected.shape)) return 'TENSOR_SHAPE'
  }
  return null
}
