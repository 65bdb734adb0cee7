/** A miner that changed its ways may ask, where its subnet allows that, that nobody's bonds with it count any more. */
import type { Context } from '../../define.ts'
import * as s from './storage.ts'
import { indices } from './subnet.ts'

export function resetBonds(context: Context, netuid: number, hotkey: string): void {
  const uid = context.get(s.Uids, netuid, hotkey)
  if (uid === null || !context.get(s.BondsResetOn, netuid)) return
  for (const index of indices(context, netuid)) {
    for (const [keys, row] of [...context.entries(s.Bonds, index)]) {
      if (row.some(([j]) => j === uid))
        context.set(
          s.Bonds,
          keys,
          row.filter(([j]) => j !== uid),
        )
    }
  }
}
