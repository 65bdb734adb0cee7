/**
 * The chain as one import for programs: `wheelwright/chain`. A client that loses no write, wallets, and the development
 * chain to try both on.
 */
export { NodeError } from '../errors.ts'
export type { Cancel, Chain, ChainEvent, Clock, Landing, Log, Neuron, Random, Slot } from '../ports.ts'
export { type ChainClient, type ChainDeps, type ChainOptions, createChain } from './client.ts'
export {
  type BlockRef,
  createDevChain,
  DEV_ACCOUNTS,
  type DevChain,
  type DevChainDeps,
  type DevChainOptions,
  FAULT_KINDS,
  type Fault,
  parseFault,
  type SubnetSpec,
} from './dev/index.ts'
export type { Health } from './link.ts'
export { NETWORK_NAMES, type NetworkAddress, networkOf } from './network.ts'
export { createKeys, openPeerKey } from './peer-key.ts'
export type { Signer } from './sign.ts'
export { SYSTEM } from './system.ts'
export { developmentSigner } from './uri.ts'
export { openKey, type WalletPlace } from './wallet.ts'
export type { Write } from './write.ts'
