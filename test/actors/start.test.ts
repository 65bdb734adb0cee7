import { expect, test } from 'vitest'
import type { ChainEvent, Ports } from '../../src/ports.ts'
import { type Envelope, openEnvelope } from '../../src/protocol/envelope.ts'
import { createStage } from './stage.ts'

const SLOW = 'validator-1'

/** The same chain, whose finality this node sees a block later than all others: what they say comes early. */
function trailing({ chain }: Pick<Ports, 'chain'>): Ports['chain'] {
  let held: ChainEvent | null = null
  return {
    ...chain,
    watch: (listener) =>
      chain.watch((event) => {
        if (event.type !== 'block.finalised') return listener(event)
        if (held !== null) listener(held)
        held = event
      }),
  }
}

test('what a node passes on when its window is final is given up when the node is stopped', async () => {
  const signals: AbortSignal[] = []
  const stage = await createStage({
    wrap: (name, role) => {
      if (name !== SLOW || role.role !== 'validator') return role
      const { network, keys } = role.ports
      const publish: typeof network.publish = (kind, bytes, opts) => {
        const { hotkey } = openEnvelope(bytes) as Envelope
        if (hotkey === keys.hotkey) return network.publish(kind, bytes, opts)
        signals.push(opts.signal)
        return new Promise(() => undefined)
      }
      return { ...role, ports: { ...role.ports, chain: trailing(role.ports), network: { ...network, publish } } }
    },
  })
  await stage.runTo(stage.deadlines(0).merge)
  expect(signals.length).toBeGreaterThan(0)
  expect(signals.some(({ aborted }) => aborted)).toBe(false)
  stage.world.crash(SLOW)
  expect(signals.every(({ aborted }) => aborted)).toBe(true)
  await stage.world.stop()
})
