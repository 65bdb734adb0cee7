/** How far two arrays are from each other, relative to the second one's size. */
import type { Tensor } from '../../../src/gpu/graph/interpret.ts'

export function distance(a: Tensor | undefined, b: Tensor | undefined): number {
  if (a === undefined || b === undefined || `${a.shape}` !== `${b.shape}`) return Number.POSITIVE_INFINITY
  let [difference, size] = [0, 0]
  for (let i = 0; i < b.data.length; i++) {
    const [x, y] = [Number(a.data[i]), Number(b.data[i])]
    difference += (x - y) ** 2
    size += y ** 2
  }
  return Math.sqrt(difference / Math.max(size, 1e-12))
}
