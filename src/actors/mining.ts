/**
 * What a miner does in a cycle, step by step. When each step happens is in miner.ts.
 */
import type { Cancel, MinerPorts } from '../ports.ts'
import { cidOf } from '../protocol/codec.ts'
import { commitmentHash, encodeRecord, saltInput } from '../protocol/commitment.ts'
import { encodeSubmission, type TensorEntry } from '../protocol/manifest.ts'
import { toHex } from '../util/bytes.ts'
import { compareText } from '../util/compare.ts'
import {
  type CycleFacts,
  type CycleStep,
  cardExpiry,
  commitmentLost,
  createSteps,
  deadlinesIn,
  domainOf,
  type Self,
} from './cycle.ts'
import { readCommitments } from './fact.ts'
import { known } from './work.ts'

/** A submission of ours, on disk before its hash went to the chain. */
export type Made = {
  readonly manifest: string
  readonly salt: string
  readonly hash: string
  readonly tensors: readonly TensorEntry[]
}

/** What the steps of a cycle leave for one another. */
export type MinerFacts = CycleFacts & {
  readonly trained?: readonly TensorEntry[]
  readonly made?: Made
  /** Aborted when the training window ends: the trainer then returns what it has. */
  readonly enough: AbortController
}

export type MinerStep = CycleStep | 'train' | 'commit' | 'reveal'
type Step = (facts: MinerFacts, opts: Cancel) => Promise<Partial<MinerFacts>>

export const createMining = (self: Self, group: string, ports: MinerPorts): { readonly [S in MinerStep]: Step } => ({
  ...createSteps(self, ports),

  train: async ({ input, opening, enough }, opts) => {
    const model = { manifest: known(opening).base.root.model, from: [] }
    const task = { model, group, domain: domainOf(self, group), cycle: input.cycle, enough: enough.signal }
    return { trained: await ports.trainer.train(task, opts) }
  },

  /** The body is on disk before its hash is sent, and withheld from peers until the window is final. */
  commit: async ({ input: { cycle }, opening, trained }, { signal }) => {
    const { hotkey } = ports.keys
    const tensors = known(trained).toSorted((a, b) => compareText(a.name, b.name))
    const network = self.network.constitution
    const base = known(opening).base.cid
    const manifest = encodeSubmission({ network, cycle, group, base, hotkey, encoding: 'values', tensors })
    await ports.blobs.put(manifest, { codec: 'dag-cbor', withheld: true, signal })
    const salt = toHex(ports.keys.mac(saltInput(self.network, cycle, 'submission')))
    const cid = cidOf(manifest)
    const hash = commitmentHash(self.network, { cycle, kind: 'submission', hotkey, content: cid, salt })
    const record = encodeRecord(self.network, { kind: 'submission', cycle, hash })
    await ports.chain.writeSlot(record, { lastBlock: deadlinesIn(self, cycle).commit, signal })
    return { made: { manifest: cid, salt, hash, tensors } }
  },

  /** Never before the commit window is final: a copier could still commit. Never without our own commitment in it. */
  reveal: async ({ input: { cycle }, opening, made }, opts) => {
    const { manifest, salt, hash, tensors } = known(made)
    const { commit } = deadlinesIn(self, cycle)
    const { snapshot } = known(opening)
    const commitments = await readCommitments(ports.chain, self.network, snapshot, commit, opts)
    if (commitments.get(ports.keys.hotkey)?.hash !== hash) throw commitmentLost('the commitment', cycle, commit)
    for (const cid of [manifest, ...tensors.map((tensor) => tensor.cid)]) await ports.blobs.release(cid)
    const card = self.voice.card(cycle, cardExpiry(self, commit))
    await self.voice.say('reveal', cycle, { kind: 'submission', manifest, salt, card }, opts)
    return {}
  },
})
