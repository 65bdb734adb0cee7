/**
 * What a tensor is on the wire: a closed table of types, bounded shapes and names, and one digest.
 *
 * A digest covers type, shape and length as well as the bytes, so a tensor cannot be reshaped into another one with
 * the same hash (protocol §4). Identity is this framed digest; files are never hashed, because a safetensors header has
 * many spellings (protocol §4, §9).
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { assert } from '../util/assert.ts'

/** The names are those of safetensors. What is not here cannot enter the network; `trainable` may be submitted. */
export const DTYPES = {
  BF16: { bytes: 2, trainable: true },
  F16: { bytes: 2, trainable: true },
  F32: { bytes: 4, trainable: true },
  F64: { bytes: 8, trainable: false },
  I64: { bytes: 8, trainable: false },
  I32: { bytes: 4, trainable: false },
  I16: { bytes: 2, trainable: false },
  I8: { bytes: 1, trainable: false },
  U8: { bytes: 1, trainable: false },
  BOOL: { bytes: 1, trainable: false },
} as const satisfies Readonly<Record<string, { readonly bytes: number; readonly trainable: boolean }>>

export type Dtype = keyof typeof DTYPES
export type TrainableDtype = { [D in Dtype]: (typeof DTYPES)[D]['trainable'] extends true ? D : never }[Dtype]

/** What an element is and how they are laid out: row-major, the last dimension contiguous. */
export type TensorKind = { readonly dtype: Dtype; readonly shape: readonly number[] }

/** Convolution kernels have rank 5 at most; 8 leaves room and keeps a frame below 128 bytes. */
export const TENSOR_RANK_MAX = 8
/** ONNX and most engines index a dimension with a signed 32-bit integer. */
export const TENSOR_DIM_MAX = 2 ** 31 - 1
/** 8 GiB: an embedding of 256,000 tokens by 8,192 in F32 has 7.8 GiB, and no larger tensor is known to us. */
export const TENSOR_BYTES_MAX = 8 * 2 ** 30
/** The longest names of public mixtures have about 80 characters. */
export const TENSOR_NAME_CHARS_MAX = 128

const NAME = /^[A-Za-z0-9._\-/]{1,128}$/
/** `__metadata__` is not a tensor in safetensors; `__proto__` is a trap for programs that keep names as object keys. */
const NAMES_RESERVED: ReadonlySet<string> = new Set(['__metadata__', '__proto__'])

const FRAME_TAG = 'wheelwright/tensor/v1'

export function isDtype(text: string): text is Dtype {
  return Object.hasOwn(DTYPES, text)
}

export function isTrainable(dtype: Dtype): dtype is TrainableDtype {
  return DTYPES[dtype].trainable
}

export function isTensorName(text: string): boolean {
  return NAME.test(text) && !NAMES_RESERVED.has(text)
}

/** A scalar has rank 0 and one element; a dimension of 0 makes an empty tensor. */
export function isTensorShape(shape: readonly number[]): boolean {
  if (shape.length > TENSOR_RANK_MAX) return false
  return shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0 && dim <= TENSOR_DIM_MAX)
}

/** Bytes of a tensor of this kind, or null when the shape or the size is beyond our limits. */
export function byteLength(dtype: Dtype, shape: readonly number[]): number | null {
  if (!isTensorShape(shape)) return null
  if (shape.includes(0)) return 0 // Before multiplying, so that [2^31-1, 2^31-1, 0] is as empty as [0].
  let bytes: number = DTYPES[dtype].bytes
  for (const dim of shape) {
    bytes *= dim // Below 2^33 · 2^31, so a product that rounds is far above the maximum.
    if (bytes > TENSOR_BYTES_MAX) return null
  }
  return bytes
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis])
}

/**
 * What is hashed before the bytes: tag, length and name of the dtype, rank, dimensions and byte length as u64 LE.
 * Every field has a fixed or announced length, so two different tensors never give the same sequence of bytes.
 * An engine that streams a large tensor hashes this frame first and then the bytes.
 */
export function tensorFrame(dtype: Dtype, shape: readonly number[], bytes: number): Uint8Array {
  assert(byteLength(dtype, shape) === bytes, 'a tensor is as long as its dtype and shape say')
  const tag = FRAME_TAG + String.fromCharCode(dtype.length) + dtype + String.fromCharCode(shape.length)
  const frame = new Uint8Array(tag.length + 8 * (shape.length + 1))
  for (let i = 0; i < tag.length; i++) frame[i] = tag.charCodeAt(i)
  const view = new DataView(frame.buffer)
  let at = tag.length
  for (const field of [...shape, bytes]) {
    view.setBigUint64(at, BigInt(field), true)
    at += 8
  }
  return frame
}

/** SHA-256 over frame and bytes, all at once: for tensors that are in memory anyway. */
export function tensorDigest(dtype: Dtype, shape: readonly number[], bytes: Uint8Array): Uint8Array {
  return sha256
    .create()
    .update(tensorFrame(dtype, shape, bytes.length))
    .update(bytes)
    .digest()
}
