/** The runtime APIs of subtensor that clients read subnets by, and their types. */
import type { RuntimeApi, TypeTable } from '../define.ts'
import { NEURON_APIS, NEURON_TYPES } from './neuron-info.ts'
import { STAKE_APIS, STAKE_TYPES } from './stake-info.ts'
import { SUBNET_APIS, SUBNET_TYPES } from './subnet-info.ts'

export const APIS: readonly RuntimeApi[] = [...NEURON_APIS, ...SUBNET_APIS, ...STAKE_APIS]

export const API_TYPES: TypeTable = { ...NEURON_TYPES, ...SUBNET_TYPES, ...STAKE_TYPES }
