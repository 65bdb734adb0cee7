/** Many subnets in one call: what fails on one of them is told and does not stop the others. */
import { type Context, DispatchFailure } from '../../define.ts'
import { PALLET } from './error.ts'

/**
 * The runtime keeps what an item wrote before it failed, and so does this. It does not matter: items check before they
 * write.
 */
export function attemptAll(
  context: Context,
  who: string,
  netuids: readonly number[],
  item: (netuid: number, i: number) => void,
): void {
  const failures: (readonly [netuid: number, error: DispatchFailure])[] = []
  for (const [i, netuid] of netuids.entries()) {
    try {
      item(netuid, i)
    } catch (error) {
      if (!(error instanceof DispatchFailure)) throw error
      failures.push([netuid, error])
    }
  }
  if (failures.length > 0) context.emit(PALLET, 'BatchCompletedWithErrors', {})
  for (const [netuid, error] of failures) context.emit(PALLET, 'BatchWeightItemFailed', { netuid, error })
  context.emit(PALLET, 'BatchWeightsCompleted', { netuids, who })
}
