/** Lists of equal length, dealt out in turn: the first of each, then the second of each. What is longer is cut. */
export function interleave<T>(lists: readonly (readonly T[])[]): readonly T[] {
  const length = Math.min(...lists.map((list) => list.length))
  return Array.from({ length: lists.length === 0 ? 0 : length }, (_, i) => lists.map((list) => list[i] as T)).flat()
}
