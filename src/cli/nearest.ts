/** The known name that somebody most likely meant, so that an error can say it. */

/** More than this many slips in one name and we would be guessing. */
const SLIPS_MAX = 2
/** Names are short; this bounds the work for a line that is not. */
const NAME_CHARS_MAX = 64

/** Null when nothing is near: then the error lists what there is. */
export function nearest(name: string, known: readonly string[]): string | null {
  if (name.length > NAME_CHARS_MAX) return null
  let best: { name: string; slips: number } | null = null
  for (const each of known) {
    const slips = slipsBetween(name.toLowerCase(), each.toLowerCase())
    // A two-letter name is within two slips of every other one, so a short name must be nearer.
    if (slips <= Math.min(SLIPS_MAX, Math.ceil(each.length / 3)) && (best === null || slips < best.slips)) {
      best = { name: each, slips }
    }
  }
  return best?.name ?? null
}

/** Optimal string alignment: letters added, lost, changed, or two neighbours swapped, one slip each. */
export function slipsBetween(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let slips = Math.min(changed, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwap) slips = Math.min(slips, (before[j - 2] ?? 0) + 1)
      row.push(slips)
    }
    before = above
    above = row
  }
  return above[b.length] ?? 0
}
