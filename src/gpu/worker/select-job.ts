/** Chooses the experts of each domain by running the model over text of it, and names the tensors of each group. */
import { NodeError } from '../../errors.ts'
import { compareText } from '../../util/compare.ts'
import type { SequenceSource } from '../data/sequences.ts'
import { type Gates, gatesOf } from '../evaluate/gates.ts'
import { type Groups, writeGroups } from '../evaluate/group-file.ts'
import { piecesOf, weightsOf } from '../evaluate/pieces.ts'
import { draft } from '../evaluate/select.ts'
import { createSessions } from '../evaluate/sessions.ts'
import { type Checkpoint, openCheckpoint } from '../model/checkpoint.ts'
import { type Machine, openSource, type SourceSpec, sessionOf, TOKENS_PER_RUN, type Told } from './job.ts'

export type SelectTask = Machine & {
  readonly directory: string
  readonly domains: readonly { readonly name: string; readonly source: SourceSpec }[]
  /** How many each domain has of every layer. */
  readonly experts: number
  /** Sequences of each domain, spread over its text; `null` takes all. */
  readonly sequencesMax: number | null
  /** Where the groups are written, if anywhere. */
  readonly groups: string | null
}
export type SelectResult = Groups & { readonly domains: readonly SelectedDomain[] }
export type SelectedDomain = {
  readonly name: string
  readonly tokens: number
  readonly layers: readonly SelectedLayer[]
}
export type SelectedLayer = {
  readonly layer: number
  readonly experts: readonly number[]
  /** The part of the routing weight of the domain's tokens that these experts have. */
  readonly share: number
  /** What each expert of the layer gets of a token. */
  readonly gates: readonly number[]
}

export async function selectJob(task: SelectTask, tell: (told: Told) => void): Promise<SelectResult> {
  const checkpoint = await openCheckpoint(task.directory)
  judge(checkpoint, task)
  const measured = await measure(checkpoint, task, tell)
  const domains = task.domains.map(({ name }, place) => {
    const { tokens } = measured[place] as Gates
    return { name, tokens, layers: selected(measured, place, task.experts) }
  })
  const result = { domains, ...tensorsOf(checkpoint, domains) }
  if (task.groups !== null) {
    await writeGroups(task.groups, result)
  }
  return result
}

function judge({ model, layout }: Checkpoint, { domains, experts }: SelectTask): void {
  const count = model.mixture.experts
  if (domains.length * experts > count) {
    throw new NodeError('USAGE', {
      what: `${experts} experts for each of ${domains.length} domains`,
      why: `domains share none, and a layer has ${count}`,
      remedy: `Name fewer domains, or --experts ${Math.floor(count / domains.length)}.`,
    })
  }
  const layer = model.dense.indexOf(null)
  const { gate, up } = layout.expert(layer, 0)
  if (gate.tensor !== up.tensor) return
  throw new NodeError('MODEL_UNSUPPORTED', {
    what: `all experts of a layer are one tensor, ${gate.tensor}`,
    why: 'a group is a list of tensors, so no group could have some of them',
    remedy: 'Save the model with its experts one by one, as `save_pretrained` of transformers does.',
  })
}

/** All sources are opened first, so that it is known how much there is to do. */
async function measure(
  checkpoint: Checkpoint,
  task: SelectTask,
  tell: (told: Told) => void,
): Promise<readonly Gates[]> {
  const open: { readonly source: SequenceSource; readonly places: readonly number[] }[] = []
  const sessions = createSessions(checkpoint, await sessionOf(task))
  try {
    for (const { source: spec } of task.domains) {
      const source = await openSource(checkpoint, spec)
      open.push({ source, places: spread(source.count, task.sequencesMax ?? source.count) })
    }
    const of = open.reduce((sum, { places }) => sum + places.length, 0)
    const made: Gates[] = []
    let before = 0
    for (const { source, places } of open) {
      const told = (done: number): void => tell({ done: before + done, of })
      made.push(await gatesOf(checkpoint, sessions, source, { places, tokensPerRun: TOKENS_PER_RUN, tell: told }))
      before += places.length
    }
    return made
  } finally {
    await sessions.release()
    for (const { source } of open) await source.close()
  }
}

/** As many places as wanted, evenly from the first to the last. */
const spread = (count: number, wanted: number): readonly number[] =>
  Array.from({ length: Math.min(count, wanted) }, (_, i) => Math.floor((i * count) / Math.min(count, wanted)))

function selected(measured: readonly Gates[], place: number, experts: number): readonly SelectedLayer[] {
  return (measured[place] as Gates).layers.flatMap((own, layer) => {
    if (own === null) return []
    const gates = measured.map(({ layers }) => layers[layer] as Float64Array)
    const chosen = draft(gates, experts, layer)[place] as readonly number[]
    const sum = (numbers: Iterable<number>): number => [...numbers].reduce((all, weight) => all + weight, 0)
    const share = sum(chosen.map((expert) => own[expert] as number)) / sum(own)
    return [{ layer, experts: chosen, share, gates: [...own] }]
  })
}

function tensorsOf(checkpoint: Checkpoint, domains: readonly SelectedDomain[]): Groups {
  const pieces = piecesOf(checkpoint)
  const groups = domains.map(({ name, layers }) => {
    const chosen = new Map(layers.map(({ layer, experts }) => [layer, new Set(experts)]))
    const own = pieces.filter((piece) => piece.kind === 'expert' && chosen.get(piece.layer)?.has(piece.expert) === true)
    return { name, domain: name, tensors: namesOf(own.flatMap(weightsOf)) }
  })
  return { groups, router: { tensors: namesOf(pieces.filter(({ kind }) => kind === 'router').flatMap(weightsOf)) } }
}

/** In the order that a constitution wants. */
const namesOf = (weights: readonly { readonly tensor: string }[]): readonly string[] =>
  [...new Set(weights.map(({ tensor }) => tensor))].toSorted(compareText)
