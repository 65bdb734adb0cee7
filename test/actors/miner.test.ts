import { describe, expect, test } from 'vitest'
import type { MinerStep } from '../../src/actors/mining.ts'
import type { Chain, MinerPorts } from '../../src/ports.ts'
import { decodeRecord, encodeRecord } from '../../src/protocol/commitment.ts'
import { networkOf } from '../../src/protocol/constitution.ts'
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

const FAULTY = 'miner-english-1'

type Fault = (ports: MinerPorts, scene: Scene) => Partial<MinerPorts>

async function stageWith(fault: Fault, breaking: Breaking = 'fails'): Promise<{ stage: Stage; diary: Diary }> {
  const diary: Diary = { written: [], said: [] }
  const stage: Stage = await createStage({
    absent: [FAULTY],
    wrap: (name, role) => {
      if (name !== FAULTY || role.role !== 'miner') return role
      const { world, deadlines } = stage
      const ports = noted(role.ports, world, diary)
      const scene = { world, at: deadlines(0), broken: () => breakAs(breaking) }
      return { ...role, ports: { ...ports, ...fault(ports, scene) } }
    },
  })
  stage.world.start(FAULTY)
  return { stage, diary }
}

const FAULTS: { readonly [S in MinerStep]: Fault } = {
  open: openingFails,
  train: ({ trainer }, { at, broken }) => ({
    trainer: { train: (task, opts) => (task.cycle === at.cycle ? broken() : trainer.train(task, opts)) },
  }),
  commit: (ports, scene) => writeFails(ports, 'submission', scene),
  reveal: (ports, scene) => publishFails(ports, 'reveal', scene),
  adopt: (ports, scene) => slotsFail(ports, scene.at.merge, scene),
}

/** What a miner still does in the cycle in which a step cannot be done. */
const STILL_DONE: { readonly [S in MinerStep]: { readonly written: number; readonly judged: boolean } } = {
  open: { written: 0, judged: false },
  train: { written: 0, judged: false },
  commit: { written: 0, judged: false },
  reveal: { written: 1, judged: false },
  adopt: { written: 1, judged: true },
}
const STEPS = Object.keys(FAULTS) as MinerStep[]

/** Is there a row for the faulty miner? */
const isJudged = ({ told, world }: Stage, cycle: number): boolean => {
  const hotkey = world.actors.find(({ name }) => name === FAULTY)?.hotkey
  return told('submission.judged', cycle).some((event) => event.hotkey === hotkey && event.reason !== 'REVEAL_MISSING')
}

describe.each<Breaking>(['fails', 'hangs'])('a step that %s costs a miner this cycle alone', (breaking) => {
  test.each(STEPS)('%s', async (step) => {
    const { stage, diary } = await stageWith(FAULTS[step], breaking)
    await stage.runCycle(1)
    const failed = stage.told('step.failed', 0)
    expect(failed).toHaveLength(1)
    expect(failed[0]).toMatchObject({ step, code: breaking === 'fails' ? FAULT_CODE : 'STEP_LATE' })
    const { written, judged } = STILL_DONE[step]
    expect(diary.written.filter(({ cycle }) => cycle === 0)).toHaveLength(written)
    expect(isJudged(stage, 0)).toBe(judged)

    expect(stage.told('step.failed', 1)).toEqual([])
    expect(isJudged(stage, 1)).toBe(true)
    for (const cycle of [0, 1])
      expect(stage.told('cycle.settled', cycle).map((e) => e.certified)).toEqual(Array(3).fill(true))
    stage.world.stop()
  })
})

test('a trainer is told when its window ends, and what it has learned by then is committed', async () => {
  let toldAt: number | null = null
  const { stage } = await stageWith(({ trainer }, { world, at }) => ({
    trainer: {
      train: async (task, opts) => {
        if (task.cycle !== at.cycle) return trainer.train(task, opts)
        await new Promise((resolve) => task.enough.addEventListener('abort', resolve, { once: true }))
        toldAt = world.head()
        return trainer.train(task, opts)
      },
    },
  }))
  await stage.runCycle(0)
  const { commit } = stage.deadlines(0)
  expect(toldAt).toBe(commit - stage.world.constitution.windows.commit + 1)
  expect(stage.told('step.failed', 0)).toEqual([])
  expect(isJudged(stage, 0)).toBe(true)
  stage.world.stop()
})

test('a trainer that does not stop when told is left behind, and its signal says so', async () => {
  let signal: AbortSignal | undefined
  let leftAt: number | null = null
  const { stage } = await stageWith((_, { world }) => ({
    trainer: {
      train: (_task, opts) => {
        signal ??= opts.signal
        signal.addEventListener('abort', () => {
          leftAt ??= world.head()
        })
        return new Promise(() => undefined)
      },
    },
  }))
  await stage.runCycle(0)
  expect(signal?.aborted).toBe(true)
  expect(leftAt).toBe(stage.deadlines(0).commit + stage.world.constitution.chain.finality)
  stage.world.stop()
})

test('a miner whose commitment is not its own on chain does not reveal', async () => {
  const { stage, diary } = await stageWith(({ chain }, { world, at }) => {
    const network = networkOf(world.constitution)
    const writeSlot: Chain['writeSlot'] = (bytes, opts) => {
      const slot = decodeRecord(network, bytes)
      const other = { kind: 'submission', cycle: 0, hash: 'ab'.repeat(32) } as const
      return chain.writeSlot(slot?.cycle === at.cycle ? encodeRecord(network, other) : bytes, opts)
    }
    return { chain: { ...chain, writeSlot } }
  })
  await stage.runCycle(0)
  expect(stage.told('step.failed', 0)).toMatchObject([{ step: 'reveal', code: 'COMMITMENT_LOST' }])
  expect(diary.said).not.toContain('reveal')
  expect(isJudged(stage, 0)).toBe(false)
  await stage.runCycle(1)
  expect(diary.said).toContain('reveal')
  stage.world.stop()
})

test('a miner reveals when the commit window is final, not before', async () => {
  const { stage, diary } = await stageWith(() => ({}))
  const { commit } = stage.deadlines(0)
  await stage.runTo(commit + stage.world.constitution.chain.finality - 1)
  expect(diary.written).toEqual([{ cycle: 0, kind: 'submission' }])
  expect(diary.said).not.toContain('reveal')
  await stage.world.step()
  expect(diary.said).toContain('reveal')
  stage.world.stop()
})
