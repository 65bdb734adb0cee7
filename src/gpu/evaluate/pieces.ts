/**
 * From names of tensors to pieces of the model: which experts, of which layers, a set of changed tensors touches.
 */
import { NodeError } from '../../errors.ts'
import { type Checkpoint, keyOf } from '../model/checkpoint.ts'
import type { Gated, Weight } from '../model/layout.ts'

/** An expert, or the routing rows of a layer. */
export type Piece =
  | { readonly kind: 'expert'; readonly layer: number; readonly expert: number; readonly weights: Gated }
  | { readonly kind: 'router'; readonly layer: number; readonly weight: Weight }

export const weightsOf = (piece: Piece): readonly Weight[] =>
  piece.kind === 'expert' ? [piece.weights.gate, piece.weights.up, piece.weights.down] : [piece.weight]

/** Every expert and router of a model. */
export function piecesOf({ model, layout }: Checkpoint): readonly Piece[] {
  return model.dense.flatMap((dense, layer): readonly Piece[] => {
    if (dense !== null) return []
    const experts = Array.from({ length: model.mixture.experts }, (_, expert) => {
      return { kind: 'expert', layer, expert, weights: layout.expert(layer, expert) } as const
    })
    return [...experts, { kind: 'router', layer, weight: layout.router(layer) }]
  })
}

/** The pieces that lie in any of these tensors. A tensor that is no expert's and no router's is refused: it is frozen. */
export function touched(checkpoint: Checkpoint, tensors: Iterable<string>): readonly Piece[] {
  const wanted = new Set(tensors)
  const pieces = piecesOf(checkpoint).filter((piece) => weightsOf(piece).some(({ tensor }) => wanted.has(tensor)))
  for (const { tensor } of pieces.flatMap(weightsOf)) wanted.delete(tensor)
  const [frozen] = wanted
  if (frozen === undefined) return pieces
  throw new NodeError('MODEL_MALFORMED', {
    what: `${frozen} cannot be changed`,
    why: 'only experts and routing rows are trained; the hub is frozen',
    remedy: 'Leave it out; a delta holds tensors of experts, or of routers.',
  })
}

export const keysOf = (pieces: readonly Piece[]): readonly string[] => pieces.flatMap(weightsOf).map(keyOf)
