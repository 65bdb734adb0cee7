import { beforeAll, describe, expect, test } from 'vitest'
import type { NodeEvent } from '../../src/event.ts'
import { ROGUES } from '../../src/event.ts'
import type { PeerAddress, ValidatorPorts } from '../../src/ports.ts'
import { deadlinesOf } from '../../src/protocol/clock.ts'
import { fromSs58 } from '../../src/protocol/hotkey.ts'
import type { TensorEntry } from '../../src/protocol/manifest.ts'
import type { Reason } from '../../src/protocol/reason.ts'
import { type CycleRewards, REWARD_POT } from '../../src/protocol/reward.ts'
import { genesisRoot, type Root, recordedRewards, rootCid } from '../../src/protocol/root.ts'
import { rewardWindow, toWeights } from '../../src/protocol/weight.ts'
import { createVirtualGround, type MakeGround } from '../../src/sim/ground.ts'
import { createWorld, type World, type WorldOptions } from '../../src/sim/world.ts'
import { breakAs, createStage, type Stage, type StageOptions } from '../actors/stage.ts'
import { turn } from '../contracts/harness.ts'

const CYCLES = [0, 1] as const

async function run(options: WorldOptions, cycles: number): Promise<{ world: World; events: NodeEvent[] }> {
  const events: NodeEvent[] = []
  const world = await createWorld(options, {
    ground: createVirtualGround({ seed: options.seed, turn }),
    observe: (event) => events.push(event),
  })
  const end = deadlinesOf(world.constitution, cycles - 1).last + world.constitution.chain.finality
  while (world.head() <= end) await world.step()
  await world.stop()
  return { world, events: events.filter((event) => !('cycle' in event) || event.cycle < cycles) }
}

test('what a world cannot be built on is stopped all the same', async () => {
  let stops = 0
  const ground: MakeGround = async (...founding) => {
    const made = await createVirtualGround({ seed: 1, turn })(...founding)
    const stop = async (): Promise<void> => {
      stops += 1
      await made.stop()
    }
    return { ...made, join: () => Promise.reject(new Error('nobody can join')), stop }
  }
  const cast = { seed: 1, validators: 4, minersPerGroup: 3, rogues: [] }
  await expect(createWorld(cast, { ground, observe: () => undefined })).rejects.toThrow('nobody can join')
  expect(stops).toBe(1)
})

describe('the default cast, every rogue among it', () => {
  let world: World
  let events: readonly NodeEvent[]
  beforeAll(async () => {
    const told = await run({ seed: 1, validators: 4, minersPerGroup: 3, rogues: ROGUES }, CYCLES.length)
    world = told.world
    events = told.events
  }, 30_000)

  const told = <T extends NodeEvent['type']>(type: T, cycle: number) =>
    events.filter(
      (event): event is Extract<NodeEvent, { type: T }> =>
        event.type === type && 'cycle' in event && event.cycle === cycle,
    )
  const named = (start: string) => world.actors.filter(({ name }) => name.startsWith(start))
  const hotkeyOf = (name: string): string => named(name)[0]?.hotkey ?? ''
  const rootOf = (cycle: number): Root => world.rootOf(told('cycle.settled', cycle)[0]?.root ?? '') as Root
  const honest = () => named('validator').map(({ hotkey }) => hotkey)

  test.each(CYCLES)(
    'cycle %i is certified by all of the stake, and every validator holds one and the same root',
    (cycle) => {
      const settled = told('cycle.settled', cycle)
      expect(settled).toHaveLength(named('validator').length + 1)
      expect(settled.every(({ certified, certificate }) => certified && certificate.stake === 1)).toBe(true)
      expect(new Set(settled.map(({ root }) => root)).size).toBe(1)
      expect(rootOf(cycle)).toMatchObject({ cycle })
    },
  )

  test('each root names the one before it', () => {
    expect(rootOf(0).previous).toBe(rootCid(genesisRoot(world.constitution)))
    expect(rootOf(1).previous).toBe(rootCid(rootOf(0)))
  })

  test('no step failed and no message was worth a rejection', () => {
    expect(events.filter(({ type }) => type === 'step.failed')).toEqual([])
    expect([...world.verdicts().keys()].filter((label) => label.includes('/reject/'))).toEqual([])
  })

  const caught: [rogue: string, reason: Reason][] = [
    ['rogue-noise', 'LOSS_NOT_LOWER'],
    ['rogue-copycat', 'LOSS_NOT_LOWER'],
    ['rogue-late', 'REVEAL_MISSING'],
    ['rogue-hub', 'TENSOR_FOREIGN'],
  ]
  test.each(caught)('%s hears %s from every honest validator, and earns nothing', (name, reason) => {
    const hotkey = hotkeyOf(name)
    for (const cycle of CYCLES) {
      const judged = told('submission.judged', cycle).filter((event) => event.hotkey === hotkey)
      const byHonest = judged.filter(({ validator }) => honest().includes(validator))
      expect(byHonest).toHaveLength(honest().length)
      for (const event of byHonest) expect(event).toMatchObject({ accepted: false, reason, gain: 0, marginal: 0 })
      expect(rootOf(cycle).rewards.map((reward) => reward.hotkey)).not.toContain(fromSs58(hotkey))
    }
  })

  test('all keys of one operator together are paid for no more than the best of them alone adds', () => {
    const operator = named('rogue-sybil').map(({ hotkey }) => fromSs58(hotkey))
    expect(operator).toHaveLength(3)
    for (const cycle of CYCLES) {
      const own = rootOf(cycle).rows.filter(({ hotkey }) => operator.includes(hotkey))
      expect(own).toHaveLength(3)
      const marginals = own.map(({ marginal }) => marginal)
      const [together, best] = [marginals.reduce((sum, m) => sum + m, 0), Math.max(...own.map(({ score }) => score))]
      expect(together).toBeLessThanOrEqual(1.05 * best)
      expect(together).toBeLessThan(0.5 * own.reduce((sum, { score }) => sum + score, 0))
    }
  })

  test('the liar is outvoted: what is certified is within the range of what honest validators measured', () => {
    for (const cycle of CYCLES) {
      const judged = told('submission.judged', cycle)
      const lies = judged.filter((event) => event.validator === hotkeyOf('rogue-liar') && event.gain > 900_000_000)
      expect(lies.length).toBeGreaterThan(0)
      for (const { hotkey, score, marginal } of rootOf(cycle).rows) {
        const own = judged.filter((event) => fromSs58(event.hotkey) === hotkey && honest().includes(event.validator))
        const [gains, marginals] = [own.map(({ gain }) => gain), own.map((event) => event.marginal)]
        expect(score).toBeGreaterThanOrEqual(Math.min(...gains))
        expect(score).toBeLessThanOrEqual(Math.max(...gains))
        expect(marginal).toBeGreaterThanOrEqual(Math.min(...marginals))
        expect(marginal).toBeLessThanOrEqual(Math.max(...marginals))
      }
    }
  })

  test('the loss of each domain falls in each cycle, from where the last one left it', () => {
    const [first, second] = CYCLES.map((cycle) => told('cycle.settled', cycle)[0]?.loss ?? {})
    for (const domain of ['english', 'python']) {
      expect(first?.[domain]?.after).toBeLessThan(first?.[domain]?.before as number)
      expect(second?.[domain]?.after).toBeLessThan(second?.[domain]?.before as number)
      expect(second?.[domain]?.before).toBe(first?.[domain]?.after)
    }
    for (const cycle of CYCLES) {
      for (const { loss } of told('cycle.settled', cycle)) expect(loss).toEqual(told('cycle.settled', cycle)[0]?.loss)
    }
  })

  test('every validator’s weights land within the cycle, and are the same', () => {
    for (const cycle of CYCLES) {
      const landed = told('weights.landed', cycle)
      expect(new Set(landed.map(({ validator }) => validator)).size).toBe(named('validator').length + 1)
      const { merge, attest, last } = deadlinesOf(world.constitution, cycle)
      expect(merge).toBeLessThanOrEqual(last)
      for (const { block, weights } of landed) {
        expect(block).toBeGreaterThan(attest)
        expect(block).toBeLessThanOrEqual(last)
        expect(weights).toEqual(landed[0]?.weights)
      }
      const earners = new Set(world.actors.filter(({ role }) => role === 'miner').map(({ uid }) => uid))
      for (const [uid] of landed[0]?.weights ?? []) expect(uid === 0 || earners.has(uid)).toBe(true)
    }
  })

  test('a cycle pays its pot to the last unit', () => {
    for (const cycle of CYCLES) {
      const { rewards, burned } = rootOf(cycle)
      expect(rewards.reduce((sum, { reward }) => sum + reward, burned)).toBe(REWARD_POT)
      expect(rewards.length).toBeGreaterThan(0)
    }
  })

  test('every phase is entered by every node, in order', () => {
    for (const { hotkey } of world.actors) {
      const phases = events.flatMap((e) =>
        e.type === 'phase.entered' && e.node === hotkey ? [`${e.cycle} ${e.phase}`] : [],
      )
      expect(phases).toHaveLength(8 * CYCLES.length)
      expect(new Set(phases).size).toBe(phases.length)
    }
  })
})

describe('one seed tells one story', () => {
  const options = { validators: 3, minersPerGroup: 1, rogues: ['sybil', 'late', 'copycat'] } as const
  test('the same seed gives the same events, another seed others', async () => {
    const first = await run({ seed: 7, ...options }, 2)
    const again = await run({ seed: 7, ...options }, 2)
    const other = await run({ seed: 8, ...options }, 1)
    expect(again.events).toEqual(first.events)
    expect(again.world.verdicts()).toEqual(first.world.verdicts())
    expect(other.events).not.toEqual(first.events.filter((event) => !('cycle' in event) || event.cycle < 1))
  }, 30_000)
})

const certified = ({ told }: Stage, cycle: number): boolean[] =>
  told('cycle.settled', cycle).map((event) => event.certified)
const stakes = ({ told }: Stage, cycle: number): Set<number> =>
  new Set(told('cycle.settled', cycle).map(({ certificate }) => certificate.stake))
const roots = ({ told }: Stage, cycle: number): Set<string> =>
  new Set(told('cycle.settled', cycle).map(({ root }) => root))

describe('when validators are missing', () => {
  test('one of three equal ones: the rest is two thirds, and that is enough', async () => {
    const stage = await createStage({ validators: 3, absent: ['validator-3'] })
    await stage.runCycle(1)
    for (const cycle of CYCLES) {
      expect(certified(stage, cycle)).toEqual([true, true])
      expect([...stakes(stage, cycle)][0]).toBeCloseTo(2 / 3, 5)
      expect(roots(stage, cycle).size).toBe(1)
    }
    stage.world.stop()
  })

  test('two of four: nothing is certified, the root stays, and the cycle after their return is as any other', async () => {
    const absent = ['validator-3', 'validator-4']
    const stage = await createStage({ validators: 4, absent })
    const genesis = rootCid(genesisRoot(stage.world.constitution))
    await stage.runTo(stage.deadlines(0).merge)
    for (const name of absent) stage.world.start(name)
    await stage.runCycle(1)
    expect(certified(stage, 0)).toEqual([false, false])
    expect(roots(stage, 0)).toEqual(new Set([genesis]))
    for (const { loss } of stage.told('cycle.settled', 0)) {
      for (const { before, after } of Object.values(loss)) expect(after).toBe(before)
    }
    for (const { weights } of stage.told('weights.landed', 0)) expect(weights).toEqual([[0, 65_535]])

    expect(certified(stage, 1)).toEqual([true, true, true, true])
    expect(stakes(stage, 1)).toEqual(new Set([1]))
    expect(roots(stage, 1).size).toBe(1)
    expect(stage.world.rootOf([...roots(stage, 1)][0] as string)?.previous).toBe(genesis)
    stage.world.stop()
  })

  test('one that crashes between its hash and its body is not waited for beyond its block', async () => {
    const stage = await createStage({ validators: 4 })
    await stage.runTo(stage.deadlines(0).report)
    stage.world.crash('validator-2')
    await stage.runCycle(0)
    expect(certified(stage, 0)).toEqual([true, true, true])
    expect(stakes(stage, 0)).toEqual(new Set([0.75]))
    expect(stage.told('step.failed', 0)).toEqual([])
    stage.world.stop()
  })

  test('one that comes back takes the root that the chain repeats, and plays its part from the next cycle on', async () => {
    const stage = await createStage({ validators: 4 })
    await stage.runTo(stage.deadlines(0).evaluate)
    stage.world.crash('validator-2')
    await stage.runTo(stage.deadlines(1).commit)
    stage.world.start('validator-2')
    await stage.runCycle(2)
    expect([0, 1, 2].map((cycle) => certified(stage, cycle).length)).toEqual([3, 3, 4])
    expect([0, 1, 2].flatMap((cycle) => certified(stage, cycle)).every(Boolean)).toBe(true)
    expect(roots(stage, 2).size).toBe(1)
    expect(stakes(stage, 2)).toEqual(new Set([1]))
    expect([0, 1, 2].flatMap((cycle) => stage.told('step.failed', cycle))).toEqual([])
    expect(stage.told('submission.judged', 2, 'validator-2').length).toBeGreaterThan(0)
    stage.world.stop()
  })

  test('all of them at once, and the next cycle stands on the root that they left', async () => {
    const stage = await createStage({ validators: 3 })
    const names = stage.world.actors.map(({ name }) => name)
    await stage.runCycle(0)
    for (const name of names) stage.world.crash(name)
    await stage.runTo(stage.deadlines(1).attest)
    for (const name of names) stage.world.start(name)
    await stage.runCycle(2)
    expect([0, 1, 2].map((cycle) => certified(stage, cycle))).toEqual([Array(3).fill(true), [], Array(3).fill(true)])
    const [before, after] = [[...roots(stage, 0)][0], [...roots(stage, 2)][0]]
    expect(stage.world.rootOf(after as string)?.previous).toBe(before)
    stage.world.stop()
  })
})

test.each(['seed', 'mainnet'] as const)('the preset %s settles its cycles, with its own finality', async (preset) => {
  const events: NodeEvent[] = []
  const world = await createWorld(
    { seed: 1, validators: 3, minersPerGroup: 1, rogues: [], preset },
    {
      ground: createVirtualGround({ seed: 1, turn: () => new Promise((resolve) => setImmediate(resolve)) }),
      observe: (event) => events.push(event),
    },
  )
  const cycles = preset === 'seed' ? 2 : 1
  const { last } = deadlinesOf(world.constitution, cycles - 1)
  while (world.head() <= last + world.constitution.chain.finality) await world.step()
  await world.stop()
  const settled = events.flatMap((event) => (event.type === 'cycle.settled' ? [event] : []))
  expect(settled.map(({ certified }) => certified)).toEqual(Array(3 * cycles).fill(true))
  expect(new Set(settled.map(({ root }) => root)).size).toBe(cycles)
  expect(events.filter(({ type }) => type === 'step.failed')).toEqual([])
})

type Wrap = NonNullable<StageOptions['wrap']>
/** Where miners can hang for everybody who evaluates them. */
const HANGS = ['manifest', 'tensors', 'losses'] as const
const hanging = (): Promise<never> => new Promise(() => undefined)

/** Miners of these names are revealed like all others, and then do not serve, or hang the engine. */
function hangFor(names: readonly string[], where: (typeof HANGS)[number]): Wrap {
  const peers = new Set<string>()
  const tensors = new Set<string>()
  const isPeer = (from: readonly PeerAddress[]): boolean => from.some(({ peerId }) => peers.has(peerId))
  return (name, role) => {
    if (role.role === 'miner') {
      const { trainer, network } = role.ports
      if (!names.includes(name)) return role
      peers.add(network.self.peerId)
      const train: typeof trainer.train = async (task, opts) => {
        const trained = await trainer.train(task, opts)
        for (const { cid } of trained) tensors.add(cid)
        return trained
      }
      return { ...role, ports: { ...role.ports, trainer: { train } } }
    }
    const { blobs, evaluator } = role.ports
    const isHung = (entries: readonly TensorEntry[]): boolean => entries.some(({ cid }) => tensors.has(cid))
    const wrapped: { readonly [W in (typeof HANGS)[number]]: Partial<ValidatorPorts> } = {
      manifest: { blobs: { ...blobs, get: (cid, opts) => (isPeer(opts.from) ? hanging() : blobs.get(cid, opts)) } },
      tensors: {
        evaluator: {
          ...evaluator,
          inspect: (task, opts) => (isPeer(task.from) ? hanging() : evaluator.inspect(task, opts)),
        },
      },
      losses: {
        evaluator: {
          ...evaluator,
          losses: (task, opts) =>
            task.overlay.kind === 'values' && isHung(task.overlay.tensors) ? hanging() : evaluator.losses(task, opts),
        },
      },
    }
    return { ...role, ports: { ...role.ports, ...wrapped[where] } }
  }
}

const rowsOf = ({ world }: Stage, root: string | undefined) => world.rootOf(root ?? '')?.rows ?? []

describe('when peers hang', () => {
  const names = ['english', 'python'].flatMap((group) => [1, 2, 3, 4].map((i) => `miner-${group}-${i}`))

  test.each(HANGS)(
    'eight of twelve miners at their %s: every validator reports, and all agree',
    async (where) => {
      const stage = await createStage({ minersPerGroup: 6, wrap: hangFor(names, where) })
      await stage.runCycle(1)
      const hung = stage.world.actors.filter(({ name }) => names.includes(name)).map(({ hotkey }) => hotkey)
      for (const cycle of CYCLES) {
        expect(stage.told('step.failed', cycle)).toEqual([])
        expect(certified(stage, cycle)).toEqual([true, true, true])
        expect(stakes(stage, cycle)).toEqual(new Set([1]))
        expect(roots(stage, cycle).size).toBe(1)
        const judged = stage.told('submission.judged', cycle)
        expect(judged).toHaveLength(3 * 12)
        for (const { hotkey, reason } of judged.filter((event) => hung.includes(event.hotkey))) {
          expect([hotkey, reason]).toEqual([hotkey, where === 'losses' ? 'EVALUATION_FAILED' : 'FETCH_FAILED'])
        }
        const scored = rowsOf(stage, [...roots(stage, cycle)][0]).filter(({ score }) => score > 0)
        if (where === 'losses') {
          // All cut the same tail: whoever was measured was measured by everybody.
          for (const { hotkey } of judged)
            expect(new Set(judged.filter((e) => e.hotkey === hotkey).map((e) => e.reason)).size).toBe(1)
        } else expect(scored).toHaveLength(4)
      }
      stage.world.stop()
    },
    20_000,
  )

  test('the owner of a shard: the others’ shards are used, and nobody’s report is late', async () => {
    const owners = new Set<string>()
    const stage = await createStage({
      validators: 4,
      wrap: (name, role) => {
        if (name === 'validator-4') owners.add(role.ports.network.self.peerId)
        if (role.role !== 'validator') return role
        const { blobs } = role.ports
        const get: typeof blobs.get = async (cid, opts) =>
          opts.from.length === 1 && owners.has(opts.from[0]?.peerId ?? '') && !(await blobs.has(cid))
            ? hanging()
            : blobs.get(cid, opts)
        return { ...role, ports: { ...role.ports, blobs: { ...blobs, get } } }
      },
    })
    await stage.runCycle(1)
    expect(stage.told('step.failed', 1)).toEqual([])
    expect(certified(stage, 1)).toEqual(Array(4).fill(true))
    expect(stakes(stage, 1)).toEqual(new Set([1]))
    expect(roots(stage, 1).size).toBe(1)
    expect(stage.told('submission.judged', 1).some(({ accepted }) => accepted)).toBe(true)
    stage.world.stop()
  })
})

test('without a pool the first cycle judges nobody, and the second is judged on what was sealed in it', async () => {
  const stage: Stage = await createStage({
    wrap: (_, role) => {
      if (role.role !== 'validator') return role
      const { blobs } = role.ports
      const get: typeof blobs.get = (cid, opts) => {
        const pools = stage?.world.constitution.tracks.flatMap(({ domains }) => domains.map(({ pool }) => pool))
        return pools?.includes(cid) ? breakAs('fails') : blobs.get(cid, opts)
      }
      return { ...role, ports: { ...role.ports, blobs: { ...blobs, get } } }
    },
  })
  await stage.runCycle(1)
  expect(stage.told('step.failed', 0)).toMatchObject(Array(3).fill({ step: 'evaluate', code: 'DATA_MISSING' }))
  expect(new Set(stage.told('submission.judged', 0).map(({ reason }) => reason))).toEqual(
    new Set(['EVALUATION_FAILED']),
  )
  expect(rowsOf(stage, [...roots(stage, 0)][0])).toEqual([])
  expect(stage.told('step.failed', 1)).toEqual([])
  expect(certified(stage, 1)).toEqual([true, true, true])
  expect(rowsOf(stage, [...roots(stage, 1)][0]).filter(({ marginal }) => marginal > 0)).toHaveLength(2)
  stage.world.stop()
})

test('the weights of a cycle are what its window paid, this cycle and those before it', async () => {
  const stage = await createStage({ minersPerGroup: 2 })
  const { world } = stage
  await stage.runCycle(2)
  const paid = [0, 1, 2].map((cycle) => recordedRewards(world.rootOf([...roots(stage, cycle)][0] ?? '') as Root))
  const uids = new Map(world.actors.map(({ hotkey, uid }) => [fromSs58(hotkey), uid]))
  const weightsOver = (window: readonly CycleRewards[]) =>
    toWeights({
      window: rewardWindow(window),
      uidOf: (hotkey) => uids.get(hotkey),
      burnUid: 0,
      entriesMin: 1,
      uidCount: uids.size + 1,
    })
  for (const cycle of [0, 1, 2]) {
    const expected = weightsOver(paid.slice(0, cycle + 1))
    for (const { weights } of stage.told('weights.landed', cycle)) expect(weights).toEqual(expected)
    if (cycle > 0) expect(expected).not.toEqual(weightsOver(paid.slice(cycle, cycle + 1)))
  }
  stage.world.stop()
})

test('where more have revealed than there are seats, who has earned keeps one', async () => {
  const stage = await createStage({ validators: 1, minersPerGroup: 12 })
  await stage.runCycle(2)
  for (const cycle of [1, 2]) {
    const earned = [...roots(stage, cycle - 1)].flatMap((root) => stage.world.rootOf(root)?.rewards ?? [])
    const unseated = rowsOf(stage, [...roots(stage, cycle)][0]).filter(({ reason }) => reason === 'SEAT_NONE')
    expect(unseated).toHaveLength(8)
    expect(earned.length).toBeGreaterThan(2)
    for (const { hotkey } of unseated) expect(earned.map((reward) => reward.hotkey)).not.toContain(hotkey)
  }
  stage.world.stop()
}, 20_000)
