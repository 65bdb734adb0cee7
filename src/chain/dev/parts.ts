/** What makes the framework a subtensor: its pallets, their types and the runtime APIs that clients read subnets by. */
import { API_TYPES, APIS } from './api/index.ts'
import { adminUtils } from './pallet/admin-utils.ts'
import { COMMITMENTS_TYPES, commitments } from './pallet/commitments.ts'
import { DRAND_TYPES, drand } from './pallet/drand.ts'
import { foundRoot } from './pallet/subtensor/found.ts'
import { subtensor } from './pallet/subtensor/index.ts'
import { SUBTENSOR_TYPES } from './pallet/subtensor/type-table.ts'
import type { RuntimeParts } from './runtime.ts'

export const SUBTENSOR_PARTS: RuntimeParts = {
  pallets: [subtensor, commitments, adminUtils, drand],
  apis: APIS,
  types: { ...SUBTENSOR_TYPES, ...COMMITMENTS_TYPES, ...DRAND_TYPES, ...API_TYPES },
  genesis: foundRoot,
}

/** The framework alone. */
export const NO_PARTS: RuntimeParts = { pallets: [], apis: [], types: {}, genesis: () => {} }
