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
import { PRESETS } from '../protocol/preset.ts'
import { decodeRoot, type Root } from '../protocol/root.ts'
import { Flaw } from '../protocol/schema.ts'
import { assert } from '../util/assert.ts'
import { toHex } from '../util/bytes.ts'
import { createSimBlobs } from './blobs.ts'
import { createCast, type Part } from './cast.ts'
import { createSimChain } from './chain.ts'
import { foundNetwork } from './genesis.ts'
import { createKeys, type SimKeys } from './keys.ts'
import { createSimNetwork } from './network.ts'
import { createRandom } from './random.ts'

export type WorldOptions = {
  readonly seed: number
  readonly validators: number
  readonly minersPerGroup: number
  readonly rogues: readonly Rogue[]
}

export type WorldDeps = {
  /** Resolves when all promises that can be settled are: a turn of the event loop. */
  readonly turn: () => Promise<void>
  readonly observe: (event: NodeEvent) => void
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
  readonly stop: () => void
}

const PRESET = PRESETS.local
/** Between two blocks, time passes in steps, so that messages arrive in the order of their delays. */
const STEPS_PER_BLOCK = 10
const DELAY_MS_MAX = 400
/** A thousand TAO in rao, for every validator alike. */
const STAKE_RAO = 1_000_000_000_000n

export async function createWorld(options: WorldOptions, { turn, observe }: WorldDeps): Promise<World> {
  const random = createRandom(String(options.seed))
  const clock: SimulatedClock & Clock = new SimulatedClock()
  const cast = createCast(options)
  const keys = new Map(cast.map(({ name }) => [name, createKeys(random.fork(`keys/${name}`))]))
  const neurons = neuronsOf(cast, keys, createKeys(random.fork('keys/owner')))
  const chain = createSimChain({ seed: String(options.seed), finality: PRESET.finality, neurons, entriesMin: 1 })
  const blobs = createSimBlobs()
  const network = createSimNetwork(
    { delayMsMax: DELAY_MS_MAX, lossRatio: 0 },
    { clock, random: random.fork('network') },
  )
  const constitution = await foundNetwork(chain.genesis, { blobs, random: random.fork('pool') })
  const flaw = checkConstitution(constitution)
  assert(flaw === null, `our own constitution is sound: ${flaw?.field} ${flaw?.problem}`)

  const verify = createMemory(verifySr25519)
  const never = new AbortController().signal
  const nodes: RunningNode[] = []
  for (const part of cast) {
    const own = keys.get(part.name)
    assert(own !== undefined, 'everybody in the cast has keys')
    const ports: Ports = {
      clock,
      random: random.fork(`random/${part.name}`),
      keys: own,
      network: network.join(own.peerId),
      blobs: blobs.join(own.peerId),
      chain: chain.as(own.hotkey),
      log: SILENT,
      observe: (happening: Happening) => observe({ ...happening, at: chain.head(), node: toSs58(own.hotkey) }),
    }
    // A validator says once that it takes part; the constitution starts two blocks later.
    if (part.role === 'validator') {
      const lastBlock = constitution.start.block
      ports.chain.writeSlot(joiningRecord(constitution), { lastBlock, signal: never }).catch(() => undefined)
    }
    const uid = neurons.find(({ hotkey }) => hotkey === own.hotkey)?.uid ?? null
    const node = { name: part.name, constitution, privateAllowed: true, uid, rogue: part.rogue }
    const role: RoleOptions = part.play(ports, random.fork(`part/${part.name}`))
    nodes.push(startNode(node, role, verify))
  }
  await turn()
  return {
    constitution,
    actors: cast.map(({ name, role }) => {
      const hotkey = keys.get(name)?.hotkey ?? ''
      return { name, role, hotkey: toSs58(hotkey), uid: neurons.find((neuron) => neuron.hotkey === hotkey)?.uid ?? 0 }
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
        await turn()
        clock.increment(PRESET.blockMs / STEPS_PER_BLOCK)
      }
      await turn()
    },
    stop: () => {
      for (const node of nodes) node.stop()
    },
  }
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
