/** Who may make blocks and how often. One author makes them all here; clients read the slot's length. */
import { item, type Pallet } from '../define.ts'

const P = 'Aura'
const Authorities = item<[], readonly Uint8Array[]>(P, 'Authorities', '', 'Vec<AuraPublic>', [])
const CurrentSlot = item<[], bigint>(P, 'CurrentSlot', '', 'u64', 0n)

export const aura = (slotMs: number): Pallet => ({
  index: 3,
  name: P,
  storage: [Authorities, CurrentSlot],
  calls: [],
  events: [],
  errors: [],
  constants: [{ name: 'SlotDuration', type: 'u64', value: BigInt(slotMs) }],
  onInitialize: (context) => {
    if (context.block > 0) context.set(CurrentSlot, [], BigInt(Math.floor(context.nowMs / slotMs)))
  },
})
