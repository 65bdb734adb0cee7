/**
 * ONNX as data: the part of its format that we write and read. Names are those of onnx.proto.
 */

/** TensorProto.DataType. */
export const ONNX_TYPES = { f32: 1, u8: 2, i64: 7, bool: 9, f16: 10, bf16: 16 } as const
export type OnnxType = keyof typeof ONNX_TYPES

export type OnnxAttribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'graph'; readonly value: OnnxGraph }

export type OnnxNode = {
  readonly opType: string
  /** Empty for ONNX itself, `com.microsoft` for what onnxruntime adds. */
  readonly domain: string
  readonly name: string
  /** An empty name is an optional input that is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: ReadonlyMap<string, OnnxAttribute>
}

export type OnnxTensor = {
  readonly name: string
  readonly type: OnnxType
  readonly dims: readonly number[]
  /** Little-endian bytes here, or a piece of a file beside the model. */
  readonly data:
    | { readonly at: 'here'; readonly bytes: Uint8Array }
    | { readonly at: 'file'; readonly location: string; readonly offset: number; readonly length: number }
}

export type OnnxValue = {
  readonly name: string
  readonly type: OnnxType
  /** A name where only a run can tell. */
  readonly dims: readonly (number | string)[]
}

export type OnnxGraph = {
  readonly name: string
  readonly nodes: readonly OnnxNode[]
  readonly initializers: readonly OnnxTensor[]
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
}

export type OnnxModel = {
  readonly irVersion: number
  readonly producer: string
  /** Domain → version of its operators. */
  readonly opsets: ReadonlyMap<string, number>
  readonly graph: OnnxGraph
}
