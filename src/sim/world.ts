/**
 * A whole network in one process: real protocol and real machines over ports of memory, in virtual time, from one seed.
 *
 * Same seed, same story: all chance comes from the seed, all time from the clock, and between two steps of the clock
 * everything that can happen has happened.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { SimulatedClock } from 'xstate'
import { joiningRecord, type RoleOptions, type RunningNode, startNode } from '../actors/start.ts'
import type { Happening, NodeEvent, Rogue, Role } from '../event.ts'
import type { Clock, Log, Neuron, Ports } from '../ports.ts'
import { type Constitution, checkConstitution } from '../protocol/constitution.ts'
import { type Verify, verifySr25519 } from '../protocol/envelope.ts'
import { toSs58 } from '../protocol/hotkey.ts'
import { PRESETS, type PresetName } from '../protocol/preset.ts'
import { decodeRoot, type Root } from '../protocol/root.ts'
import { Flaw } from '../protocol/schema.ts'
import { assert } from '../util/assert.ts'
import { toHex } from '../util/bytes.ts'
import { createSimBlobs, type SimBlobs } from './blobs.ts'
import { createCast, type Part } from './cast.ts'
import { createSimChain, type SimChain } from './chain.ts'
import { foundNetwork } from './genesis.ts'
import { createKeys, type SimKeys } from './keys.ts'
import { createSimNetwork, type SimNetwork } from './network.ts'
import { createRandom, type SeededRandom } from './random.ts'

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
  /** Resolves when all promises that can be settled are: a turn of the event loop. */
  readonly turn: () => Promise<void>
  readonly observe: (event: NodeEvent) => void
  /** Puts a fault between a node and its ports. */
  readonly wrap?: (name: string, role: RoleOptions) => RoleOptions
}

export type Actor = { readonly name: string; readonly role: Role; readonly hotkey: string; readonly uid: number }

export type World = {
  readonly constitution: Constitution
  readonly actors: readonly Actor[]
  /** One block, and everything that follows from it. */
  readonly step: () => Promise<void>
  readonly head: () => number
  /** A root that a node here has stored, for whoever tells the story. */
  readonly rootOf: (cid: string) => Root | null
  /** How gossip was judged, by `kind/verdict/code`. */
  readonly verdicts: ReadonlyMap<string, number>
  /** Starts who is not running: it has its keys and what it stored, and remembers nothing else. */
  readonly start: (name: string) => void
  /** Ends a node wherever it is. */
  readonly crash: (name: string) => void
  readonly stop: () => void
}

/** Between two blocks, time passes in steps, so that messages arrive in the order of their delays. */
const STEPS_PER_BLOCK = 10
const DELAY_MS_MAX = 400
/** A thousand TAO in rao, for every validator alike. */
const STAKE_RAO = 1_000_000_000_000n

export async function createWorld(options: WorldOptions, deps: WorldDeps): Promise<World> {
  const random = createRandom(String(options.seed))
  const clock: SimulatedClock & Clock = new SimulatedClock()
  const { preset = 'local' } = options
  const { finality, blockMs } = PRESETS[preset]
  const cast = createCast({ ...options, preset })
  const keys = new Map(cast.map(({ name }) => [name, createKeys(random.fork(`keys/${name}`))]))
  const neurons = neuronsOf(cast, keys, createKeys(random.fork('keys/owner')))
  const chain = createSimChain({ seed: String(options.seed), finality, neurons, entriesMin: 1 })
  const blobs = createSimBlobs()
  const network = createSimNetwork(
    { delayMsMax: DELAY_MS_MAX, lossRatio: 0 },
    { clock, random: random.fork('network') },
  )
  const constitution = await foundNetwork(chain.genesis, preset, { blobs, random: random.fork('pool') })
  const flaw = checkConstitution(constitution)
  assert(flaw === null, `our own constitution is sound: ${flaw?.field} ${flaw?.problem}`)

  const verify = createMemory(verifySr25519)
  const stage: Stage = { random, clock, keys, neurons, chain, blobs, network, constitution, verify, deps }
  const nodes = new Map<string, RunningNode>()
  const start = (name: string): void => {
    const part = cast.find((p) => p.name === name)
    assert(part !== undefined && !nodes.has(name), 'who is in the cast is started once')
    nodes.set(name, startPart(stage, part))
  }
  const crash = (name: string): void => {
    nodes.get(name)?.stop()
    nodes.delete(name)
  }
  for (const part of cast) if (part.role === 'validator') join(stage, part)
  for (const { name } of cast) if (!options.absent?.includes(name)) start(name)
  await deps.turn()
  return {
    constitution,
    actors: cast.map((part) => {
      const { hotkey } = keysOf(stage, part)
      return { name: part.name, role: part.role, hotkey: toSs58(hotkey), uid: uidOf(stage, hotkey) ?? 0 }
    }),
    head: chain.head,
    verdicts: network.verdicts,
    rootOf: (cid) => {
      const bytes = blobs.peek(cid)
      const root = bytes === undefined ? null : decodeRoot(bytes)
      return root instanceof Flaw ? null : root
    },
    step: async () => {
      chain.seal()
      for (let i = 0; i < STEPS_PER_BLOCK; i++) {
        await deps.turn()
        clock.increment(blockMs / STEPS_PER_BLOCK)
      }
      await deps.turn()
    },
    start,
    crash,
    stop: () => [...nodes.keys()].forEach(crash),
  }
}

/** Everything that is there before anybody plays a part. */
type Stage = {
  readonly random: SeededRandom
  readonly clock: Clock
  readonly keys: ReadonlyMap<string, SimKeys>
  readonly neurons: readonly Neuron[]
  readonly chain: SimChain
  readonly blobs: SimBlobs
  readonly network: SimNetwork
  readonly constitution: Constitution
  readonly verify: Verify
  readonly deps: WorldDeps
}

function keysOf({ keys }: Stage, { name }: Part): SimKeys {
  const own = keys.get(name)
  assert(own !== undefined, 'everybody in the cast has keys')
  return own
}

const uidOf = ({ neurons }: Stage, hotkey: string): number | null =>
  neurons.find((neuron) => neuron.hotkey === hotkey)?.uid ?? null

/** A validator says once that it takes part; the constitution starts two blocks later. */
function join(stage: Stage, part: Part): void {
  const { chain, constitution } = stage
  const opts = { lastBlock: constitution.start.block, signal: new AbortController().signal }
  const { hotkey } = keysOf(stage, part)
  chain
    .as(hotkey)
    .writeSlot(joiningRecord(constitution), opts)
    .catch(() => undefined)
}

function startPart(stage: Stage, part: Part): RunningNode {
  const { name, rogue } = part
  const { random, clock, chain, constitution, deps } = stage
  const own = keysOf(stage, part)
  const ports: Ports = {
    clock,
    random: random.fork(`random/${name}`),
    keys: own,
    network: stage.network.join(own.peerId),
    blobs: stage.blobs.join(own.peerId),
    chain: chain.as(own.hotkey),
    log: SILENT,
    observe: (happening: Happening) => deps.observe({ ...happening, at: chain.head(), node: toSs58(own.hotkey) }),
  }
  const role = part.play(ports, random.fork(`part/${name}`))
  const node = { name, constitution, privateAllowed: true, uid: uidOf(stage, own.hotkey), rogue }
  return startNode(node, deps.wrap?.(name, role) ?? role, stage.verify)
}

/** The subnet's owner has uid 0: what nobody earns is burned there. */
function neuronsOf(cast: readonly Part[], keys: ReadonlyMap<string, SimKeys>, owner: SimKeys): readonly Neuron[] {
  const others = cast.map(({ name, role }, i): Neuron => {
    const isValidator = role === 'validator'
    return {
      uid: i + 1,
      hotkey: keys.get(name)?.hotkey ?? '',
      stake: isValidator ? STAKE_RAO : 0n,
      permit: isValidator,
    }
  })
  return [{ uid: 0, hotkey: owner.hotkey, stake: 0n, permit: false }, ...others]
}

const SILENT: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

const REMEMBERED_MAX = 10_000

/** Everybody here verifies the same messages: each is verified once. */
function createMemory(verify: Verify): Verify {
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
