/** The bulk path: content by its CID, in large pieces, from several peers at once. */
export { createPullBroker, type PullBroker } from './broker.ts'
export type { PullProgress, PullStats, PullStore } from './job.ts'
export type { Misdeed } from './lane.ts'
export { PULL_PROTOCOL } from './limits.ts'
export { createPull, type FetchOptions, type Pull, type PullDeps } from './pull.ts'
export { type PullServer, type ServeDeps, type ServedStore, servePull } from './serve.ts'
