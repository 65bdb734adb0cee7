import { describe, expect, test } from 'vitest'
import type { RoleOptions } from '../../src/actors/start.ts'
import type { ValidatorStep } from '../../src/actors/validating.ts'
import type { Blobs, ValidatorPorts } from '../../src/ports.ts'
import { decode } from '../../src/protocol/codec.ts'
import { decodeRecord, encodeRecord } from '../../src/protocol/commitment.ts'
import { networkOf } from '../../src/protocol/constitution.ts'
import { type MessageKind, openEnvelope } from '../../src/protocol/envelope.ts'
import { toSs58 } from '../../src/protocol/hotkey.ts'
import { SHARD_BYTES_MAX } from '../../src/protocol/limits.ts'
import { Flaw } from '../../src/protocol/schema.ts'
import { shardShape } from '../../src/protocol/shard.ts'
import { ACCEPT } from '../../src/protocol/verdict.ts'
import { never } from '../contracts/harness.ts'
import {
  type Breaking,
  breakAs,
  createStage,
  type Diary,
  FAULT_CODE,
  noted,
  openingFails,
  publishFails,
  type Scene,
  type Stage,
  slotsFail,
  writeFails,
} from './stage.ts'

const FAULTY = 'validator-1'

type Fault = (ports: ValidatorPorts, scene: Scene) => Partial<ValidatorPorts>

const FAULTS: { readonly [S in ValidatorStep]: Fault } = {
  open: openingFails,
  match: (ports, scene) => slotsFail(ports, scene.at.commit, scene),
  unseal: (ports, scene) => publishFails(ports, 'shard', scene),
  evaluate: ({ evaluator }, { world, at, broken }) => ({
    evaluator: {
      ...evaluator,
      losses: (task, opts) => (world.head() <= at.report ? broken() : evaluator.losses(task, opts)),
    },
  }),
  report: ({ data }, { at, broken }) => ({
    data: { ...data, draw: (task, opts) => (task.cycle === at.cycle + 1 ? broken() : data.draw(task, opts)) },
  }),
  exchange: (ports, scene) => publishFails(ports, 'report', scene),
  attest: (ports, scene) => writeFails(ports, 'attest', scene),
  tally: (ports, scene) => slotsFail(ports, scene.at.attest, scene),
  merge: ({ evaluator }, { world, at, broken }) => ({
    evaluator: {
      ...evaluator,
      merge: (task, opts) => (world.head() <= at.last ? broken() : evaluator.merge(task, opts)),
    },
  }),
  root: (ports, scene) => writeFails(ports, 'root', scene),
  adopt: (ports, scene) => slotsFail(ports, scene.at.merge, scene),
  settle: ({ data }, { world, at, broken }) => ({
    data: { ...data, heldOut: (domain, opts) => (world.head() <= at.last ? broken() : data.heldOut(domain, opts)) },
  }),
  weigh: ({ chain }, { world, at, broken }) => ({
    chain: {
      ...chain,
      setWeights: (weights, opts) => (world.head() <= at.last ? broken() : chain.setWeights(weights, opts)),
    },
  }),
}

const ALL = ['judged', 'report', 'attest', 'root', 'settled', 'landed'] as const
type Duty = (typeof ALL)[number]
const without = (...left: readonly Duty[]): readonly Duty[] => ALL.filter((duty) => !left.includes(duty))

/** What a validator still does in the cycle in which a step cannot be done. */
const STILL_DONE: { readonly [S in ValidatorStep]: readonly Duty[] } = {
  open: [],
  match: without('judged', 'report'),
  unseal: ALL,
  evaluate: ALL,
  report: without('report'),
  exchange: ALL,
  attest: without('attest'),
  tally: without('root', 'settled'),
  merge: without('root'),
  root: without('root'),
  adopt: without('settled'),
  settle: without('settled'),
  weigh: without('landed'),
}
const STEPS = Object.keys(FAULTS) as ValidatorStep[]

/** Nothing is sealed for the first cycle, so nothing can be unsealed in it. */
const cycleOf = (step: ValidatorStep): number => (step === 'unseal' ? 1 : 0)

async function stageWith(step: ValidatorStep, breaking: Breaking): Promise<{ stage: Stage; diary: Diary }> {
  const diary: Diary = { written: [], said: [] }
  const stage: Stage = await createStage({
    absent: [FAULTY],
    wrap: (name, role) => {
      if (name !== FAULTY || role.role !== 'validator') return role
      const { world, deadlines } = stage
      const scene = { world, at: deadlines(cycleOf(step)), broken: () => breakAs(breaking) }
      const ports = noted(role.ports, world, diary)
      return { role: 'validator', ports: { ...ports, ...FAULTS[step](ports, scene) } }
    },
  })
  stage.world.start(FAULTY)
  return { stage, diary }
}

function dutiesDone({ told }: Stage, { written }: Diary, cycle: number): readonly Duty[] {
  const hasWritten = (kind: string): boolean => written.some((record) => record.cycle === cycle && record.kind === kind)
  const done = {
    judged: told('submission.judged', cycle, FAULTY).length > 0,
    report: hasWritten('report'),
    attest: hasWritten('attest'),
    root: hasWritten('root'),
    settled: told('cycle.settled', cycle, FAULTY).length > 0,
    landed: told('weights.landed', cycle, FAULTY).length > 0,
  }
  return ALL.filter((duty) => done[duty])
}

describe.each<Breaking>(['fails', 'hangs'])('a step that %s costs a validator this step alone', (breaking) => {
  test.each(STEPS)('%s', async (step) => {
    const cycle = cycleOf(step)
    const { stage, diary } = await stageWith(step, breaking)
    await stage.runCycle(cycle + 1)
    const late = step === 'evaluate' ? 'EVALUATION_LATE' : 'STEP_LATE'
    const [failed] = stage.told('step.failed', cycle, FAULTY)
    expect(failed).toMatchObject({ step, code: breaking === 'fails' ? FAULT_CODE : late })
    expect(dutiesDone(stage, diary, cycle)).toEqual(STILL_DONE[step])

    expect(stage.told('step.failed', cycle + 1)).toEqual([])
    expect(dutiesDone(stage, diary, cycle + 1)).toEqual(ALL)
    for (const at of [cycle, cycle + 1]) {
      const settled = stage.told('cycle.settled', at)
      expect(settled.length).toBeGreaterThanOrEqual(2)
      expect(settled.every(({ certified }) => certified)).toBe(true)
      expect(new Set(settled.map(({ root }) => root)).size).toBe(1)
      const landed = stage.told('weights.landed', at)
      expect(new Set(landed.map(({ weights }) => JSON.stringify(weights))).size).toBe(1)
    }
    stage.world.stop()
  })
})

type Name = (name: string) => string | undefined
const hotkeyIn =
  (stage: () => Stage): Name =>
  (name) =>
    stage().world.actors.find((actor) => actor.name === name)?.hotkey

/** Does not let pass what the test says, whoever it comes from. */
const deafTo = (
  role: RoleOptions,
  isLost: (kind: MessageKind, from: string, author: string) => boolean,
): RoleOptions => {
  const { network } = role.ports
  const subscribe: typeof network.subscribe = (kind, gate) =>
    network.subscribe(kind, (from, bytes) => {
      const envelope = openEnvelope(bytes)
      const author = envelope instanceof Flaw ? '' : toSs58(envelope.hotkey)
      return isLost(kind, from, author) ? ACCEPT : gate(from, bytes)
    })
  return withPorts(role, { network: { ...network, subscribe } })
}

const withPorts = (role: RoleOptions, change: Partial<ValidatorPorts>): RoleOptions =>
  role.role === 'validator'
    ? { ...role, ports: { ...role.ports, ...change } }
    : { ...role, ports: { ...role.ports, ...change } }

describe('a counted body', () => {
  test('that its author sends to some alone is said again by those, and all merge the same', async () => {
    const [withholding, deaf] = ['validator-1', ['validator-2', 'validator-3']]
    const withheld = new Set<string>()
    const stage: Stage = await createStage({
      validators: 5,
      wrap: (name, role) => {
        if (name === withholding) withheld.add(role.ports.network.self.peerId)
        return deaf.includes(name) ? deafTo(role, (kind, from) => kind === 'report' && withheld.has(from)) : role
      },
    })
    await stage.runCycle(1)
    for (const cycle of [0, 1]) {
      expect(stage.told('step.failed', cycle)).toEqual([])
      const settled = stage.told('cycle.settled', cycle)
      expect(settled.map(({ certificate }) => certificate.stake)).toEqual(Array(5).fill(1))
      expect(new Set(settled.map(({ root }) => root)).size).toBe(1)
      expect(stage.world.rootOf(settled[0]?.root ?? '')?.cycle).toBe(cycle)
      const landed = stage.told('weights.landed', cycle)
      expect(landed.map(({ weights }) => weights)).toEqual(Array(5).fill(landed[0]?.weights))
    }
    stage.world.stop()
  })

  test('is said again by nobody when everybody holds it', async () => {
    const diary: Diary = { written: [], said: [] }
    const stage: Stage = await createStage({
      absent: [FAULTY],
      wrap: (name, role) =>
        name === FAULTY && role.role === 'validator' ? withPorts(role, noted(role.ports, stage.world, diary)) : role,
    })
    stage.world.start(FAULTY)
    await stage.runCycle(0)
    expect(diary.said.filter((kind) => kind === 'report')).toHaveLength(1)
    stage.world.stop()
  })

  test('that never comes costs a validator its merge: it takes the root, and what that pays, from the chain', async () => {
    const [deaf, lost] = ['validator-1', 'validator-2']
    const hotkeyOf = hotkeyIn(() => stage)
    const stage: Stage = await createStage({
      validators: 4,
      wrap: (name, role) =>
        name === deaf ? deafTo(role, (kind, _, author) => kind === 'report' && author === hotkeyOf(lost)) : role,
    })
    await stage.runCycle(1)
    for (const cycle of [0, 1]) {
      const failed = stage.told('step.failed', cycle)
      expect(failed).toMatchObject([{ node: hotkeyOf(deaf), step: 'tally', code: 'BODY_MISSING' }])
      const settled = stage.told('cycle.settled', cycle)
      expect(settled.map(({ certified, certificate }) => [certified, certificate.stake])).toEqual(
        Array(4).fill([true, 1]),
      )
      expect(new Set(settled.map(({ root }) => root)).size).toBe(1)
      expect(stage.world.rootOf(settled[0]?.root ?? '')?.cycle).toBe(cycle)
      const landed = stage.told('weights.landed', cycle)
      expect(landed).toHaveLength(4)
      for (const { weights } of landed) expect(weights).toEqual(landed[0]?.weights)
      expect(landed[0]?.weights.length).toBeGreaterThan(1)
    }
    stage.world.stop()
  })
})

test('a validator that cannot read what the evaluation hangs on makes no report, and does the rest', async () => {
  const diary: Diary = { written: [], said: [] }
  const stage: Stage = await createStage({
    absent: [FAULTY],
    wrap: (name, role) => {
      if (name !== FAULTY || role.role !== 'validator') return role
      const ports = noted(role.ports, stage.world, diary)
      const { chain } = ports
      const hashOf: typeof chain.hashOf = (block, opts) =>
        block === stage.deadlines(0).reveal ? breakAs('hangs') : chain.hashOf(block, opts)
      return withPorts(role, { ...ports, chain: { ...chain, hashOf } })
    },
  })
  stage.world.start(FAULTY)
  await stage.runCycle(0)
  expect(stage.told('step.failed', 0, FAULTY)).toMatchObject([{ step: 'evaluate', code: 'EVALUATION_LATE' }])
  expect(dutiesDone(stage, diary, 0)).toEqual(without('judged', 'report'))
  stage.world.stop()
})

test('a validator whose hash on chain is another’s says so, and keeps its body to itself', async () => {
  const diary: Diary = { written: [], said: [] }
  const stage: Stage = await createStage({
    validators: 4,
    absent: [FAULTY],
    wrap: (name, role) => {
      if (name !== FAULTY || role.role !== 'validator') return role
      const ports = noted(role.ports, stage.world, diary)
      const { chain } = ports
      const network = networkOf(stage.world.constitution)
      const writeSlot: typeof chain.writeSlot = async (bytes, opts) => {
        const landing = await chain.writeSlot(bytes, opts)
        const slot = decodeRecord(network, bytes)
        if (slot?.kind !== 'report') return landing
        return chain.writeSlot(encodeRecord(network, { ...slot, hash: 'ab'.repeat(32) }), opts)
      }
      return withPorts(role, { ...ports, chain: { ...chain, writeSlot } })
    },
  })
  stage.world.start(FAULTY)
  await stage.runCycle(0)
  expect(stage.told('step.failed', 0, FAULTY)).toMatchObject([{ step: 'exchange', code: 'COMMITMENT_LOST' }])
  expect(diary.said).not.toContain('report')
  expect(dutiesDone(stage, diary, 0)).toEqual(ALL)
  expect([...stage.world.verdicts().keys()].filter((label) => label.includes('/reject/'))).toEqual([])
  stage.world.stop()
})

test('a shard sealed for the next cycle can be fetched by nobody before its reveal window is final', async () => {
  const shards = new Set<string>()
  let foreign: Blobs | null = null
  const stage: Stage = await createStage({
    wrap: (name, role) => {
      if (name === 'miner-english-1') foreign = role.ports.blobs
      if (role.role !== 'validator') return role
      const { blobs } = role.ports
      const put: typeof blobs.put = async (bytes, opts) => {
        const cid = await blobs.put(bytes, opts)
        if (!(decode(shardShape, bytes, SHARD_BYTES_MAX) instanceof Flaw)) shards.add(cid)
        return cid
      }
      return withPorts(role, { blobs: { ...blobs, put } })
    },
  })
  const fetchAll = (cids: Iterable<string>): Promise<PromiseSettledResult<Uint8Array>[]> => {
    const blobs = foreign as unknown as Blobs
    return Promise.allSettled(
      [...cids].map((cid) => blobs.get(cid, { bytesMax: SHARD_BYTES_MAX, from: [], signal: never })),
    )
  }
  const statuses = async (cids: Iterable<string>) => new Set((await fetchAll(cids)).map(({ status }) => status))
  await stage.runTo(stage.deadlines(0).last)
  const sealed = [...shards]
  expect(sealed).toHaveLength(6)
  expect(await statuses(sealed)).toEqual(new Set(['rejected']))
  await stage.runTo(stage.deadlines(1).reveal)
  expect(await statuses(sealed)).toEqual(new Set(['rejected']))
  await stage.runTo(stage.deadlines(1).evaluate)
  expect(await statuses(sealed)).toEqual(new Set(['fulfilled']))
  stage.world.stop()
})

test('a miner is found by the card in its reveal alone', async () => {
  const asked = new Map<string, number>()
  const miners = new Set<string>()
  const stage: Stage = await createStage({
    wrap: (name, role) => {
      const deaf = deafTo(role, (kind) => kind === 'card')
      if (role.role === 'miner') {
        miners.add(role.ports.network.self.peerId)
        return deaf
      }
      const { blobs } = role.ports
      const get: typeof blobs.get = (cid, opts) => {
        for (const { peerId } of opts.from) asked.set(peerId, (asked.get(peerId) ?? 0) + 1)
        return blobs.get(cid, opts)
      }
      return name === FAULTY ? withPorts(deaf, { blobs: { ...blobs, get } }) : deaf
    },
  })
  await stage.runTo(stage.deadlines(0).report)
  for (const peerId of miners) expect(asked.get(peerId)).toBeGreaterThan(0)
  expect(miners.size).toBe(2)
  stage.world.stop()
})
