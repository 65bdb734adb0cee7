/**
 * A node from its ports: inbox, voice and machine put together, started, and stopped again.
 *
 * Which adapters stand behind the ports is decided elsewhere: here and below nothing knows whether the chain is real.
 */
import { createActor } from 'xstate'
import type { Rogue, Role } from '../event.ts'
import type { MinerPorts, Ports, ValidatorPorts } from '../ports.ts'
import { EMPTY_BITMAP, encodeRecord } from '../protocol/commitment.ts'
import { type Constitution, networkOf } from '../protocol/constitution.ts'
import { MESSAGE_KINDS, type MessageKind, type Verify } from '../protocol/envelope.ts'
import { toSs58 } from '../protocol/hotkey.ts'
import { genesisRoot, rootCid } from '../protocol/root.ts'
import { assert } from '../util/assert.ts'
import type { Self } from './cycle.ts'
import { createInbox } from './inbox.ts'
import { createMiner } from './miner.ts'
import { type CycleMachine, createNodeMachine } from './node.ts'
import { createValidator } from './validator.ts'
import { createVoice } from './voice.ts'

export type NodeOptions = {
  readonly name: string
  readonly constitution: Constitution
  /** True only where all peers live on one machine or test bench. */
  readonly privateAllowed: boolean
  readonly uid: number | null
  /** For the simulation's own adversaries, so that events tell them apart. */
  readonly rogue: Rogue | null
}
export type RoleOptions =
  | { readonly role: 'miner'; readonly group: string; readonly ports: MinerPorts }
  | { readonly role: 'validator'; readonly ports: ValidatorPorts }

export type RunningNode = { readonly stop: () => void }

export function startNode(options: NodeOptions, role: RoleOptions, verify: Verify): RunningNode {
  const ports: Ports = role.ports
  const { constitution, privateAllowed } = options
  assert(constitution.predecessor === null, 'amendments are adopted, but no node acts on them yet')
  const network = networkOf(constitution)
  const stopped = new AbortController()
  const inbox = createInbox(
    { network, constitution, privateAllowed },
    {
      verify,
      heard: ({ kind }, bytes, wasEarly) => {
        actor.send({ type: 'message.heard' })
        if (wasEarly) voice.repeat(kind, bytes, { signal: stopped.signal })
      },
    },
  )
  const voice = createVoice(network, (kind, bytes) => inbox.gate(kind)(ports.network.self.peerId, bytes), ports)
  const self: Self = { network, constitution, inbox, voice }
  const cycle: CycleMachine =
    role.role === 'miner' ? createMiner(self, role.group, role.ports) : createValidator(self, role.ports)
  const actor = createActor(createNodeMachine(self, cycle, ports), { clock: ports.clock })

  const unsubscribe = KINDS_HEARD[role.role].map((kind) => ports.network.subscribe(kind, inbox.gate(kind)))
  tellStart(options, role.role, ports)
  actor.start()
  return {
    stop: () => {
      for (const end of unsubscribe) end()
      actor.stop()
      stopped.abort()
    },
  }
}

/**
 * A miner judges nobody, so it hears cards alone: what its gate cannot judge it would not pass on, and every peer in the
 * mesh that passes nothing on is a hole.
 */
const KINDS_HEARD: { readonly [R in RoleOptions['role']]: readonly MessageKind[] } = {
  miner: ['card'],
  validator: MESSAGE_KINDS,
}

function tellStart({ name, uid, rogue }: NodeOptions, role: Role, { keys, observe }: Ports): void {
  observe({ type: 'node.started', name, role, hotkey: toSs58(keys.hotkey), uid, rogue })
}

/** What a validator writes once before it counts: that it takes part, and from which root on (protocol §6). */
export function joiningRecord(constitution: Constitution): Uint8Array {
  const network = networkOf(constitution)
  const root = rootCid(genesisRoot(constitution))
  const { cycle } = constitution.start
  return encodeRecord(network, { kind: 'root', cycle, base: root, root, bitmap: EMPTY_BITMAP })
}
