/**
 * The operations of a graph, with what each is told besides its inputs. The set is closed: shapes, gradients, the
 * interpreter and the writer of ONNX each have a table with a row for every operation, and a missing row does not compile.
 *
 * Most are what their name says. Those of a mixture of experts (`Order`, `Route`, `SplitRows`, `JoinRows`) are ours: rows
 * are permuted so that each expert finds its own side by side, and the gradient of a permutation is a permutation.
 */
import type { Dim, Dtype } from './graph.ts'

type None = Readonly<Record<never, never>>
type Axes = { readonly axes: readonly number[]; readonly keep: boolean }

export type Attrs = {
  // Element by element, with broadcasting.
  Add: None
  Sub: None
  Mul: None
  Div: None
  Neg: None
  Exp: None
  Sqrt: None
  Reciprocal: None
  Sigmoid: None
  Silu: None
  Clip: { readonly min: number; readonly max: number }

  /** alpha · op(a) · op(b), the last two axes; leading axes are equal. */
  MatMul: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number }
  /** op(a) · op(b) + c, of matrices: made by a pass, never by hand. */
  MatMulAdd: { readonly transA: boolean; readonly transB: boolean }

  // Along axes; `Softmax` and `LogSoftmax` along the last.
  Sum: Axes
  Mean: Axes
  Max: Axes
  Softmax: None
  LogSoftmax: None

  // The same numbers in another form.
  Reshape: { readonly shape: readonly Dim[] }
  Expand: { readonly shape: readonly Dim[] }
  Transpose: { readonly perm: readonly number[] }
  Split: { readonly axis: number; readonly sizes: readonly number[] }
  Concat: { readonly axis: number }
  Cast: { readonly to: Dtype }

  /** (table [V, D], index) → the rows of the table. */
  Gather: None
  /** (index, rows) → [size, D]: the sum of the rows of equal index. */
  ScatterAdd: { readonly size: number }
  /** (x, index) along the last axis: y[…, j] = x[…, index[…, j]]. */
  TakeAlong: None
  /** (index, values) along the last axis, into zeros: y[…, index[…, j]] = values[…, j]. No index twice. */
  PutAlong: { readonly size: number }
  /** The k largest along the last axis, largest first, of equals the first: values and indices. */
  TopK: { readonly k: number }
  Equal: None

  /** (ids [N]) → the stable order that sorts them, and its inverse: the place of each. */
  Order: None
  /** (ids [N]) → how often each of 0 … size−1 occurs. */
  Count: { readonly size: number }
  /** (x [T, D], order [T·copies], its inverse) → row j is row ⌊order[j] / copies⌋ of x. */
  Route: { readonly copies: number }
  /** (x [N, D], counts [E]) → E parts of so many rows, each with a dimension of its own name. */
  SplitRows: { readonly names: readonly string[] }
  /** (counts [E], E parts) → one after the other, [rows, D]. */
  JoinRows: { readonly rows: number }

  /** (x, scale [D]) → x / √(mean x² + eps) · scale along the last axis, and the factor 1/√… that its gradient needs. */
  RmsNorm: { readonly eps: number }
  /**
   * (x [B, H, S, D], cos [S, D/2], sin [S, D/2]): rotates pairs of elements by the angle of their place. A pair is (i, i + D/2)
   * or, interleaved, (2i, 2i + 1). `inverse` rotates back.
   */
  Rope: { readonly interleaved: boolean; readonly inverse: boolean }
  /** (logits [T, V], targets [T]) → −log p(target) of each row, and log p of everything, which the gradient needs. */
  CrossEntropy: None
}

export type Op = keyof Attrs
