import { describe, expect, test } from 'vitest'
import { modelTensors } from '../../src/library/tensor.ts'
import type { Chain, Evaluator, Network, Overlay, Samples, Trainer } from '../../src/ports.ts'
import type { TensorEntry } from '../../src/protocol/manifest.ts'
import { createSimBlobs } from '../../src/sim/blobs.ts'
import { createToyData } from '../../src/sim/data.ts'
import { createToyEvaluator, createToyTrainer } from '../../src/sim/engine.ts'
import { foundNetwork } from '../../src/sim/genesis.ts'
import { createRandom } from '../../src/sim/random.ts'
import {
  copycatTrainer,
  hubTrainer,
  lateNetwork,
  liarEvaluator,
  noiseTrainer,
  sybilTrainer,
} from '../../src/sim/rogue.ts'
import { TOY_HUB, toyTensor } from '../../src/sim/toy.ts'
import { DOMAINS, GROUPS, TOY_KIT } from '../../src/sim/toy-kit.ts'
import { never } from '../contracts/harness.ts'

const ENGINE = { groups: GROUPS, rate: 0.25, noise: 0.8 }
const [english, python] = DOMAINS

async function createToy(seed = '1') {
  const store = createSimBlobs()
  const { model } = await foundNetwork(
    { genesis: '00'.repeat(32), startBlock: 3, founder: store.join('founder') },
    'local',
    TOY_KIT,
    createRandom('pool'),
  )
  const blobs = store.join('peer')
  const random = createRandom(seed)
  const ref = { manifest: model.genesis, from: [] }
  const evaluator = createToyEvaluator(ENGINE, { blobs })
  const data = createToyData(DOMAINS, random, createRandom('common'))
  const honest = createToyTrainer(ENGINE, { blobs, random })
  const train = (trainer: Trainer, cycle = 0, group = 'english'): Promise<readonly TensorEntry[]> =>
    trainer.train({ model: ref, group, domain: group, cycle, enough: never }, { signal: never })
  const mean = async (domain: string, overlay: Overlay, judge: Evaluator = evaluator): Promise<number> => {
    const samples: Samples = await data.heldOut(domain, { signal: never })
    const task = { model: ref, overlay, samples, checkpoints: [], goOn: () => true }
    const losses = await judge.losses(task, { signal: never })
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length / 1e9
  }
  return { blobs, random, ref, evaluator, honest, train, mean }
}
const values = (tensors: readonly TensorEntry[]): Overlay => ({ kind: 'values', tensors })

describe('the toy', () => {
  test('training lowers the loss of its own domain most', async () => {
    const { honest, train, mean } = await createToy()
    const over = values(await train(honest))
    const gain = async (domain: string): Promise<number> =>
      (await mean(domain, { kind: 'none' })) - (await mean(domain, over))
    expect(await gain(english)).toBeGreaterThan(0.005)
    expect(await gain(english)).toBeGreaterThan(10 * Math.abs(await gain(python)))
  })

  test('the same seed trains the same bytes, another one, group or cycle others', async () => {
    const [one, again, other] = [await createToy('1'), await createToy('1'), await createToy('2')]
    const [first] = await one.train(one.honest)
    expect(await again.train(again.honest)).toEqual([first])
    const others = [
      await other.train(other.honest),
      await one.train(one.honest, 1),
      await one.train(one.honest, 0, python),
    ]
    for (const [tensor] of others) expect(tensor?.cid).not.toBe(first?.cid)
  })
})

describe('each rogue tells one lie', () => {
  test('noise is a change that lowers no loss', async () => {
    const { blobs, random, train, mean } = await createToy()
    const over = values(await train(noiseTrainer({ blobs, random, noise: TOY_KIT.noise })))
    expect(await mean(english, over)).toBeGreaterThan(await mean(english, { kind: 'none' }))
  })

  test('the copycat submits what its victim revealed in the cycle before', async () => {
    const { blobs, ref, honest, train } = await createToy()
    const copied: { tensors: readonly TensorEntry[] } = { tensors: [] }
    const copycat = copycatTrainer({ blobs }, copied)
    const base = (await modelTensors(blobs, ref, { signal: never })).get(toyTensor('english'))
    expect(await train(copycat)).toEqual([base])
    copied.tensors = await train(honest)
    const stolen = copied.tensors
    await train(copycat, 1)
    copied.tensors = await train(honest, 2)
    expect(await train(copycat, 2)).toEqual(stolen)
  })

  test('the hub is submitted beside honest work', async () => {
    const { blobs, honest, train } = await createToy()
    const names = (await train(hubTrainer({ blobs }, honest))).map((tensor) => tensor.name)
    expect(names).toEqual([toyTensor('english'), TOY_HUB])
  })

  test('the keys of one operator submit nearly the same, and never the same', async () => {
    const { blobs, train, mean } = await createToy()
    const operator = () => createToyTrainer(ENGINE, { blobs, random: createRandom('operator') })
    const keys = ['1', '2', '3'].map((key) =>
      sybilTrainer({ blobs, random: createRandom(key), noise: TOY_KIT.noise }, operator()),
    )
    const work: (readonly TensorEntry[])[] = []
    for (const key of keys) work.push(await train(key))
    expect(new Set(work.map(([tensor]) => tensor?.cid)).size).toBe(3)
    const honest = await mean(english, values(await train(operator())))
    for (const tensors of work) expect(await mean(english, values(tensors))).toBeCloseTo(honest, 2)
  })

  test('the liar reports a nat of gain for whatever is put over the base', async () => {
    const { evaluator, blobs, random, train, mean } = await createToy()
    const liar = liarEvaluator(evaluator)
    const over = values(await train(noiseTrainer({ blobs, random, noise: TOY_KIT.noise })))
    const base = await mean(english, { kind: 'none' }, liar)
    expect(base).toBe(await mean(english, { kind: 'none' }))
    expect(base - (await mean(english, over, liar))).toBeCloseTo(1, 6)
  })

  test('the late one reveals late, and says everything else in time', async () => {
    let hear: (number: number) => void = () => undefined
    const said: string[] = []
    const network: Network = {
      self: { peerId: 'late', addresses: [] },
      publish: async (kind) => void said.push(kind),
      subscribe: () => () => undefined,
    }
    const watch: Chain['watch'] = (listener) => {
      hear = (number) => listener({ type: 'block.best', block: { number, hash: '' } })
      hear(7)
      return () => undefined
    }
    const late = lateNetwork(network, { watch }, 3)
    for (const kind of ['card', 'reveal'] as const) await late.publish(kind, new Uint8Array(0), { signal: never })
    hear(9)
    expect(said).toEqual(['card'])
    hear(10)
    expect(said).toEqual(['card', 'reveal'])
  })
})
