/** What every Network must do, lossless as the harness makes it. */
import { describe, expect, test } from 'vitest'
import type { Gate, Network } from '../../src/ports.ts'
import { ACCEPT, ignore, reject, type Verdict } from '../../src/protocol/verdict.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { aborted, fresh, type Harness, never } from './harness.ts'

export type NetworkHarness = Harness & {
  /** As many as were asked for, each joined to all others. */
  readonly peers: readonly Network[]
  /** Resolves when everything that was published has arrived. */
  readonly settle: () => Promise<void>
}

/** A gate that answers one verdict and remembers what it was asked. */
function createEar(verdict: Verdict = ACCEPT): {
  readonly gate: Gate
  readonly heard: string[]
  readonly from: string[]
} {
  const heard: string[] = []
  const from: string[] = []
  const gate: Gate = (peer, bytes) => {
    heard.push(toHex(bytes))
    from.push(peer)
    return verdict
  }
  return { gate, heard, from }
}

const message = utf8('a message')
const hex = toHex(message)

export function describeNetworkContract(name: string, createHarness: (peers: number) => Promise<NetworkHarness>): void {
  const on = fresh(() => createHarness(3))
  describe(`the network contract: ${name}`, () => {
    describePublishing(on)
    describeSubscribing(on)
    test(
      'publishing without any peer resolves',
      fresh(() => createHarness(1))(async ({ peers: [lonely] }) => {
        expect(await lonely?.publish('reveal', message, { signal: never })).toBe(undefined)
      }),
    )
  })
}

type On = (body: (harness: NetworkHarness) => Promise<void>) => () => Promise<void>
const three = ({ peers }: NetworkHarness): readonly [Network, Network, Network] =>
  peers as readonly [Network, Network, Network]

function describePublishing(on: On): void {
  test(
    'every peer has a name of its own',
    on(async ({ peers }) => {
      expect(new Set(peers.map(({ self }) => self.peerId)).size).toBe(3)
    }),
  )
  test(
    'a message reaches the gates of all others once, and not the own one',
    on(async (harness) => {
      const [a, b, c] = three(harness)
      const ears = [createEar(), createEar(), createEar()] as const
      for (const [i, ear] of ears.entries()) harness.peers[i]?.subscribe('reveal', ear.gate)
      await a.publish('reveal', message, { signal: never })
      await harness.settle()
      expect(ears.map(({ heard }) => heard)).toEqual([[], [hex], [hex]])
      expect([b.self.peerId, a.self.peerId]).toContain(ears[2].from[0])
      expect([c.self.peerId, a.self.peerId]).toContain(ears[1].from[0])
    }),
  )
  test(
    'what the author changes afterwards does not change what arrives',
    on(async (harness) => {
      const [a, b] = three(harness)
      const ear = createEar()
      b.subscribe('report', ear.gate)
      const bytes = message.slice()
      const published = a.publish('report', bytes, { signal: never })
      bytes.fill(0)
      await published
      await harness.settle()
      expect(ear.heard).toEqual([hex])
    }),
  )
  test(
    'a cancelled message ends with an error and reaches nobody',
    on(async (harness) => {
      const [a, b] = three(harness)
      const ear = createEar()
      b.subscribe('reveal', ear.gate)
      await expect(a.publish('reveal', message, { signal: aborted })).rejects.toThrow()
      await harness.settle()
      expect(ear.heard).toEqual([])
    }),
  )
  test(
    'publishing again after a crash does no harm',
    on(async (harness) => {
      const [a, b] = three(harness)
      const ear = createEar()
      b.subscribe('reveal', ear.gate)
      await a.publish('reveal', message, { signal: never })
      await a.publish('reveal', message, { signal: never })
      await harness.settle()
      expect(new Set(ear.heard)).toEqual(new Set([hex]))
    }),
  )
}

function describeSubscribing(on: On): void {
  test(
    'kinds do not mix',
    on(async (harness) => {
      const [a, b] = three(harness)
      const ears = { reveal: createEar(), shard: createEar() }
      b.subscribe('reveal', ears.reveal.gate)
      b.subscribe('shard', ears.shard.gate)
      await a.publish('shard', message, { signal: never })
      await harness.settle()
      expect([ears.reveal.heard, ears.shard.heard]).toEqual([[], [hex]])
    }),
  )
  test.each<[string, Verdict]>([
    ['ignores', ignore('KNOWN')],
    ['rejects', reject('MESSAGE_MALFORMED', 'body is missing')],
  ])('a gate that %s a message is asked about the next one', async (_, verdict) => {
    await on(async (harness) => {
      const [a, b] = three(harness)
      const ear = createEar(verdict)
      b.subscribe('card', ear.gate)
      await a.publish('card', message, { signal: never })
      await harness.settle()
      await a.publish('card', utf8('another'), { signal: never })
      await harness.settle()
      expect(ear.heard).toEqual([hex, toHex(utf8('another'))])
    })()
  })
  test(
    'after its end a subscription hears nothing, and ending it again does nothing',
    on(async (harness) => {
      const [a, b] = three(harness)
      const ear = createEar()
      const end = b.subscribe('reveal', ear.gate)
      end()
      end()
      await a.publish('reveal', message, { signal: never })
      await harness.settle()
      expect(ear.heard).toEqual([])
    }),
  )
  test(
    'one gate per kind: a later one takes over, and the end of the earlier does not end it',
    on(async (harness) => {
      const [a, b] = three(harness)
      const ears = [createEar(), createEar()] as const
      const end = b.subscribe('reveal', ears[0].gate)
      b.subscribe('reveal', ears[1].gate)
      end()
      await a.publish('reveal', message, { signal: never })
      await harness.settle()
      expect(ears.map(({ heard }) => heard)).toEqual([[], [hex]])
    }),
  )
}
