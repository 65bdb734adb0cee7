import { describe, expect, test } from 'vitest'
import type { ValidatorStep } from '../../src/actors/validating.ts'
import type { ValidatorPorts } from '../../src/ports.ts'
import { openEnvelope } from '../../src/protocol/envelope.ts'
import { toSs58 } from '../../src/protocol/hotkey.ts'
import { Flaw } from '../../src/protocol/schema.ts'
import { ACCEPT } from '../../src/protocol/verdict.ts'
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
  match: (ports, { at, broken }) => slotsFail(ports, at.commit, broken),
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
  tally: (ports, { at, broken }) => slotsFail(ports, at.attest, broken),
  merge: ({ evaluator }, { world, at, broken }) => ({
    evaluator: {
      ...evaluator,
      merge: (task, opts) => (world.head() <= at.last ? broken() : evaluator.merge(task, opts)),
    },
  }),
  root: (ports, scene) => writeFails(ports, 'root', scene),
  adopt: (ports, { at, broken }) => slotsFail(ports, at.merge, broken),
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
  evaluate: without('judged', 'report'),
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

test('a validator that lost a body takes the root, and what it pays, from what the others put on chain', async () => {
  const [deaf, lost] = ['validator-1', 'validator-2']
  const stage: Stage = await createStage({
    validators: 4,
    wrap: (name, role) => {
      if (name !== deaf || role.role !== 'validator') return role
      const { network } = role.ports
      const subscribe: typeof network.subscribe = (kind, gate) =>
        network.subscribe(kind, (from, bytes) => {
          const envelope = openEnvelope(bytes)
          const author = envelope instanceof Flaw ? '' : toSs58(envelope.hotkey)
          const isLost = kind === 'report' && author === stage.world.actors.find((actor) => actor.name === lost)?.hotkey
          return isLost ? ACCEPT : gate(from, bytes)
        })
      return { role: 'validator', ports: { ...role.ports, network: { ...network, subscribe } } }
    },
  })
  await stage.runCycle(1)
  for (const cycle of [0, 1]) {
    expect(stage.told('step.failed', cycle)).toEqual([])
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
