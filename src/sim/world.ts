/**
 * A whole network in one process, from one seed: real protocol and real machines over a ground that gives time and chain,
 * and over ports of memory for all the rest.
 *
 * On the simulation's own ground the same seed tells the same story: all chance comes from the seed, all time from the
 * clock.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { joiningRecord, type RoleOptions, type RunningNode, startNode } from '../actors/start.ts'
import type { Happening, NodeEvent, Rogue, Role } from '../event.ts'
import type { Log, Ports } from '../ports.ts'
import { type Constitution, checkConstitution } from '../protocol/constitution.ts'
import { type Verify, verifySr25519 } from '../protocol/envelope.ts'
import { toSs58 } from '../protocol/hotkey.ts'
import type { PresetName } from '../protocol/preset.ts'
import { decodeRoot, type Root } from '../protocol/root.ts'
import { Flaw } from '../protocol/schema.ts'
import { assert } from '../util/assert.ts'
import { toHex } from '../util/bytes.ts'
import { createCast, type Part } from './cast.ts'
import { foundNetwork } from './genesis.ts'
import type { Founders, Ground, MakeGround, Medium } from './ground.ts'
import { createKeys, type SimKeys } from './keys.ts'
import type { Kit } from './kit.ts'
import { createRandom, type SeededRandom } from './random.ts'
import { TOY_KIT } from './toy-kit.ts'

export type WorldOptions = {
  readonly seed: number
  readonly validators: number
  readonly minersPerGroup: number
  readonly rogues: readonly Rogue[]
  /** Whose clock and finality; `local` when absent. */
  readonly preset?: PresetName
  /** Registered, and joined if they are validators, but not started. */
  readonly absent?: readonly string[]
}

export type WorldDeps = {
  readonly ground: MakeGround
  /** What is learned; the toy when absent. */
  readonly kit?: Kit
  readonly observe: (event: NodeEvent) => void
  /** Puts a fault between a node and its ports. */
  readonly wrap?: (name: string, role: RoleOptions) => RoleOptions
}

export type Actor = { readonly name: string; readonly role: Role; readonly hotkey: string; readonly uid: number }

export type World = {
  readonly constitution: Constitution
  /** Where others reach the chain; `null` when it is in memory. */
  readonly address: string | null
  readonly actors: readonly Actor[]
  /** One block, and everything that follows from it. */
  readonly step: () => Promise<void>
  readonly head: () => number
  /** The last block of which everybody has seen that it is final, and had the ground's time to do what follows from it. */
  readonly past: () => number
  /** A root that a node here has stored, for whoever tells the story. */
  readonly rootOf: (cid: string) => Root | null
  /** How gossip was judged, by `kind/verdict/code`. */
  readonly verdicts: () => ReadonlyMap<string, number>
  /** Starts who is not running: it has its keys and what it stored, and remembers nothing else. */
  readonly start: (name: string) => void
  /** Ends a node wherever it is. */
  readonly crash: (name: string) => void
  readonly stop: () => Promise<void>
}

/** Roots of the last cycles, for whoever tells the story. */
const ROOTS_MAX = 64
/** A thousand TAO in rao, for every validator alike. */
const STAKE_RAO = 1_000_000_000_000n

export async function createWorld(options: WorldOptions, deps: WorldDeps): Promise<World> {
  const random = createRandom(String(options.seed))
  const { preset = 'local' } = options
  const { kit = TOY_KIT } = deps
  const cast = createCast({ ...options, preset, kit })
  const keys = new Map(cast.map(({ name }) => [name, createKeys(random.fork(`keys/${name}`))]))
  const founders = foundersOf(cast, keys, createKeys(random.fork('keys/owner')))
  const ground = await deps.ground(founders, preset)
  const nodes = new Map<string, RunningNode>()
  const stop = async (): Promise<void> => {
    for (const node of nodes.values()) node.stop()
    nodes.clear()
    await kit.stop()
    await ground.stop()
  }
  try {
    return await populate({ ...options, preset }, deps, { random, cast, keys, founders, ground, nodes, stop })
  } catch (error) {
    // A ground may hold a port and sockets: nobody else could give them back.
    await stop().catch(() => undefined)
    throw error
  }
}

type Empty = Pick<Stage, 'random' | 'keys' | 'founders' | 'ground'> & {
  readonly cast: readonly Part[]
  readonly nodes: Map<string, RunningNode>
  readonly stop: () => Promise<void>
}

async function populate(
  { preset, absent }: WorldOptions & { readonly preset: PresetName },
  deps: WorldDeps,
  { random, cast, keys, founders, ground, nodes, stop }: Empty,
): Promise<World> {
  const constitution = await foundNetwork(ground, preset, deps.kit ?? TOY_KIT, random.fork('pool'))
  const flaw = checkConstitution(constitution)
  assert(flaw === null, `our own constitution is sound: ${flaw?.field} ${flaw?.problem}`)

  const verify = createMemory(verifySr25519)
  const media = new Map<string, Medium>()
  for (const { name } of cast) {
    media.set(name, await ground.join(keys.get(name) as SimKeys, constitution))
  }
  const roots = new Map<string, Root>()
  const observe = (event: NodeEvent): void => {
    if (event.type === 'cycle.settled') void keepRoot(roots, event.root, ground)
    deps.observe(event)
  }
  const stage: Stage = { random, keys, founders, ground, media, constitution, verify, deps: { ...deps, observe } }
  const start = (name: string): void => {
    const part = cast.find((p) => p.name === name)
    assert(part !== undefined && !nodes.has(name), 'who is in the cast is started once')
    nodes.set(name, startPart(stage, part))
  }
  const crash = (name: string): void => {
    nodes.get(name)?.stop()
    nodes.delete(name)
  }
  tellChain(stage)
  for (const part of cast) if (part.role === 'validator') join(stage, part)
  for (const { name } of cast) if (!absent?.includes(name)) start(name)
  return {
    constitution,
    address: ground.address,
    actors: cast.map((part) => {
      const { hotkey } = keysOf(stage, part)
      return { name: part.name, role: part.role, hotkey: toSs58(hotkey), uid: uidOf(stage, hotkey) ?? 0 }
    }),
    head: ground.head,
    past: () => ground.head() - constitution.chain.finality - 1 - ground.lagBlocks,
    verdicts: ground.verdicts,
    rootOf: (cid) => roots.get(cid) ?? null,
    step: ground.step,
    start,
    crash,
    stop,
  }
}

/** Everything that is there before anybody plays a part. */
type Stage = {
  readonly random: SeededRandom
  readonly keys: ReadonlyMap<string, SimKeys>
  readonly founders: Founders
  readonly ground: Ground
  readonly media: ReadonlyMap<string, Medium>
  readonly constitution: Constitution
  readonly verify: Verify
  readonly deps: WorldDeps
}

function keysOf({ keys }: Stage, { name }: Part): SimKeys {
  const own = keys.get(name)
  assert(own !== undefined, 'everybody in the cast has keys')
  return own
}

const uidOf = ({ founders }: Stage, hotkey: string): number | null =>
  founders.find((neuron) => neuron.hotkey === hotkey)?.uid ?? null

async function keepRoot(roots: Map<string, Root>, cid: string, { peek }: Ground): Promise<void> {
  const bytes = roots.has(cid) ? null : await peek(cid)
  const root = bytes === null ? null : decodeRoot(bytes)
  if (root === null || root instanceof Flaw) return
  roots.set(cid, root)
  for (const old of [...roots.keys()].slice(0, -ROOTS_MAX)) roots.delete(old)
}

function mediumOf({ media }: Stage, { name }: Part): Medium {
  const medium = media.get(name)
  assert(medium !== undefined, 'everybody in the cast has joined')
  return medium
}

/** The chain of the network is run by who owns the subnet. */
function tellChain({ ground: { address, head }, founders: [owner], deps }: Stage): void {
  if (address === null || owner === undefined) return
  const hotkey = toSs58(owner.hotkey)
  const chain = { name: 'chain', role: 'chain', hotkey, uid: owner.uid, rogue: null, address } as const
  deps.observe({ type: 'node.started', ...chain, at: head(), node: hotkey })
}

/** A validator says once that it takes part, before the constitution starts. */
function join(stage: Stage, part: Part): void {
  const { ground, constitution } = stage
  const opts = { lastBlock: constitution.start.block, signal: new AbortController().signal }
  ground
    .as(keysOf(stage, part))
    .writeSlot(joiningRecord(constitution), opts)
    .catch(() => undefined)
}

function startPart(stage: Stage, part: Part): RunningNode {
  const { name, rogue } = part
  const { random, ground, constitution, deps } = stage
  const own = keysOf(stage, part)
  const ports: Ports = {
    clock: ground.clock,
    random: random.fork(`random/${name}`),
    keys: own,
    ...mediumOf(stage, part),
    chain: ground.as(own),
    log: SILENT,
    observe: (happening: Happening) => deps.observe({ ...happening, at: ground.head(), node: toSs58(own.hotkey) }),
  }
  const role = part.play(ports, random.fork(`part/${name}`))
  const node = { name, constitution, privateAllowed: true, uid: uidOf(stage, own.hotkey), rogue }
  return startNode(node, deps.wrap?.(name, role) ?? role, stage.verify)
}

/** The subnet's owner has uid 0: what nobody earns is burned there. */
function foundersOf(cast: readonly Part[], keys: ReadonlyMap<string, SimKeys>, owner: SimKeys): Founders {
  const others = cast.map(({ name, role }, i) => {
    const own = keys.get(name)
    assert(own !== undefined, 'everybody in the cast has keys')
    const permit = role === 'validator'
    return { uid: i + 1, hotkey: own.hotkey, stake: permit ? STAKE_RAO : 0n, permit, keys: own }
  })
  return [{ uid: 0, hotkey: owner.hotkey, stake: 0n, permit: false, keys: owner }, ...others]
}

const SILENT: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

const REMEMBERED_MAX = 10_000

/** Everybody here verifies the same messages: each is verified once. */
export function createMemory(verify: Verify): Verify {
  const known = new Map<string, boolean>()
  return (hotkey, message, signature) => {
    const key = `${hotkey}/${toHex(signature)}/${toHex(sha256(message))}`
    const held = known.get(key)
    if (held !== undefined) return held
    if (known.size >= REMEMBERED_MAX) known.clear()
    const valid = verify(hotkey, message, signature)
    known.set(key, valid)
    return valid
  }
}
