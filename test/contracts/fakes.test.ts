import { SimulatedClock } from 'xstate'
import { modelTensors } from '../../src/library/tensor.ts'
import type { Neuron } from '../../src/ports.ts'
import { rawCidOf } from '../../src/protocol/codec.ts'
import { createSimBlobs } from '../../src/sim/blobs.ts'
import { createSimChain } from '../../src/sim/chain.ts'
import { createToyData } from '../../src/sim/data.ts'
import { createToyEvaluator, createToyTrainer } from '../../src/sim/engine.ts'
import { foundNetwork } from '../../src/sim/genesis.ts'
import { createKeys } from '../../src/sim/keys.ts'
import { createSimNetwork } from '../../src/sim/network.ts'
import { createRandom } from '../../src/sim/random.ts'
import { toyTensor } from '../../src/sim/toy.ts'
import { DOMAINS, GROUPS, TOY_KIT } from '../../src/sim/toy-kit.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { createSimLog } from '../sim/log.ts'
import { type BlobPeer, describeBlobsContract } from './blobs.ts'
import { describeChainContract } from './chain.ts'
import { describeClockContract } from './clock.ts'
import { describeDataContract } from './data.ts'
import { describeEvaluatorContract } from './evaluator.ts'
import { never, turn } from './harness.ts'
import { describeKeysContract } from './keys.ts'
import { describeLogContract } from './log.ts'
import { describeNetworkContract } from './network.ts'
import { describeRandomContract } from './random.ts'
import { describeTrainerContract } from './trainer.ts'

const close = async (): Promise<void> => undefined
const ENGINE = { groups: GROUPS, rate: 0.25, noise: 0.8 }

describeClockContract('in virtual time', async () => {
  const clock = new SimulatedClock()
  return { clock, advance: async (ms) => clock.increment(ms), close }
})

describeRandomContract('from a seed', async () => ({ random: createRandom('contract'), close }))

describeKeysContract('from a seed', async () => {
  const keys = createKeys(createRandom('keys'))
  return { keys, peerId: keys.peerId, again: async () => createKeys(createRandom('keys')), close }
})

describeLogContract('in memory', async () => {
  const { log, lines } = createSimLog()
  return { log, written: () => lines.join('\n'), close }
})

describeNetworkContract('in memory', async (count) => {
  const clock = new SimulatedClock()
  const network = createSimNetwork({ delayMsMax: 400, lossRatio: 0 }, { clock, random: createRandom('network') })
  const peers = Array.from({ length: count }, (_, i) => network.join(`peer-${i}`))
  return { peers, settle: async () => clock.increment(400), close }
})

describeBlobsContract('in memory', async () => {
  const store = createSimBlobs()
  const join = (peerId: string): BlobPeer => ({ blobs: store.join(peerId), address: { peerId, addresses: [] } })
  return {
    peers: [join('0'), join('1'), join('2')],
    damage: async (peer, cid) => store.damage(String(peer), cid),
    again: async () => store.join('0'),
    close,
  }
})

describeChainContract('in memory', async () => {
  const hotkeys = ['alice', 'bob'].map((name) => toHex(utf8(name.padEnd(32)))) as [string, string]
  const neurons = hotkeys.map((hotkey, uid): Neuron => ({ uid, hotkey, stake: 10n ** 18n, permit: true }))
  const chain = createSimChain({ seed: 'contract', finality: 2, neurons, entriesMin: 1 })
  const sealed = async (takesWrites: boolean): Promise<void> => {
    chain.seal({ takesWrites })
    await turn()
  }
  return { hotkeys, as: chain.as, seal: () => sealed(true), sealEmpty: () => sealed(false), close }
})

describeDataContract('from a seed', async () => {
  const again = () => createToyData(DOMAINS, createRandom('own'), createRandom('common'))
  return { data: again(), domains: DOMAINS, again: async () => again(), close }
})

async function createToyModel() {
  const store = createSimBlobs()
  const { model } = await foundNetwork(
    { genesis: '00'.repeat(32), startBlock: 3, founder: store.join('founder') },
    'local',
    TOY_KIT,
    createRandom('pool'),
  )
  const own = store.join('own')
  const other = { blobs: store.join('other'), address: { peerId: 'other', addresses: [] } }
  const group = GROUPS[0]?.name as string
  const ref = { manifest: model.genesis, from: [] }
  const tensors = await modelTensors(own, ref, { signal: never })
  const entry = tensors.get(toyTensor(group))
  if (entry === undefined) throw new Error('the toy has a tensor for every group')
  return { own, other, group, model: ref, entry }
}

describeTrainerContract('of the toy', async () => {
  const { own: blobs, other, group, model, entry } = await createToyModel()
  const trainer = createToyTrainer(ENGINE, { blobs, random: createRandom('trainer') })
  const missing = rawCidOf(utf8('nobody ever stored this'))
  return { trainer, blobs, stranger: other.blobs, model, group, domain: DOMAINS[0], tensors: [entry], missing, close }
})

describeEvaluatorContract('of the toy', async () => {
  const { own: blobs, other: miner, model, entry } = await createToyModel()
  const bytes = await blobs.get(entry.cid, { bytesMax: entry.bytes, from: [], signal: never })
  const data = createToyData(DOMAINS, createRandom('own'), createRandom('common'))
  const samples = await data.heldOut(DOMAINS[0], { signal: never })
  const evaluator = createToyEvaluator(ENGINE, { blobs })
  return { evaluator, miner, model, tensor: { entry, bytes }, samples, close }
})
