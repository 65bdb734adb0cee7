/** The time of a block, which its author tells in the first extrinsic. */
import { item, type Pallet } from '../define.ts'
import { requireRoot } from './system.ts'

const P = 'Timestamp'
export const Now = item<[], bigint>(P, 'Now', '', 'u64', 0n)

/** `slotMs` is the time between blocks: clients derive how long their transactions may live from the half of it. */
export const timestamp = (slotMs: number): Pallet => ({
  index: 2,
  name: P,
  storage: [Now],
  calls: [
    {
      index: 0,
      name: 'set',
      args: 'now: Compact<u64>',
      paysFee: false,
      run: (context, origin, { now }) => {
        // Only the author of a block may, and it speaks as root.
        requireRoot(origin)
        context.set(Now, [], now as bigint)
      },
    },
  ],
  events: [],
  errors: [],
  constants: [{ name: 'MinimumPeriod', type: 'u64', value: BigInt(Math.floor(slotMs / 2)) }],
})
