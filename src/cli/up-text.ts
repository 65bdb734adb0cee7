/** What `wheelwright up` prints for people: the phases as they come, and a table per settled cycle. */
import type { NodeEvent } from '../event.ts'
import { constitutionCid } from '../protocol/constitution.ts'
import type { Actor, World } from '../sim/world.ts'
import type { Style } from './io.ts'
import type { CycleStory, Line } from './story.ts'

const NAME_CHARS = 18
const nats = (value: number): string => (value === 0 ? '—' : value.toFixed(4))
const percent = (share: number): string => (share === 0 ? '—' : `${(100 * share).toFixed(1)} %`)

export function openingText({ actors, address, constitution }: World, seed: number | null, model: string): string {
  const count = (role: Actor['role']): number => actors.filter((actor) => actor.role === role).length
  const chain = address === null ? `in memory, rehearsed with seed ${seed} in virtual time` : `${address}, in real time`
  return (
    `a network of ${count('validator')} validators and ${count('miner')} miners in this process\n` +
    `  constitution ${constitutionCid(constitution)}\n` +
    `  chain        ${chain}\n` +
    `  peers        ${address === null ? 'in memory' : 'libp2p on loopback, each with a store on disk'}\n` +
    `  model        ${model}\n`
  )
}

export const phaseText = (cycle: number, phase: string, block: number, { dim }: Style): string =>
  `  ${dim(`cycle ${String(cycle).padEnd(3)} block ${String(block).padEnd(6)}`)} ${phase}\n`

export function cycleText(story: CycleStory, actors: readonly Actor[], { bold, dim }: Style): string {
  const names = new Map(actors.map(({ hotkey, name }) => [hotkey, name]))
  const lines = story.lines.toSorted(
    (a, b) =>
      compare(a.group ?? '', b.group ?? '') || b.reward - a.reward || compare(nameOf(a, names), nameOf(b, names)),
  )
  const losses = Object.entries(story.loss).map(
    ([domain, { before, after }]) => `${domain} ${before.toFixed(4)} → ${after.toFixed(4)}`,
  )
  const status = story.certified ? `certified by ${percent(story.stake)} of the stake` : 'not certified'
  return [
    '',
    bold(`cycle ${story.cycle}: ${status}, held by ${story.settledBy} validators`),
    `  root    ${story.root}`,
    `  loss    ${losses.join('   ')}`,
    dim(`  ${row('miner', 'group', 'gain', 'adds', 'reward', 'why not')}`),
    ...lines.map((line) => `  ${rowOf(line, names)}`),
    `  ${row('burned', '', '', '', percent(story.burned), '')}`,
    `  weights on chain, read back by ${story.landedBy} validators: ${weightsText(story)}`,
    '',
    '',
  ].join('\n')
}

/** A cycle without a new root, and what went wrong most often in it. */
export function troubleText(events: readonly NodeEvent[], cycle: number, { bold }: Style): string {
  const counts = new Map<string, number>()
  for (const event of events) {
    if (event.type !== 'step.failed' || event.cycle !== cycle) continue
    const label = `${event.step} ${event.code}`
    counts.set(label, (counts.get(label) ?? 0) + 1)
  }
  const worst = [...counts].sort(([, a], [, b]) => b - a).slice(0, TROUBLES)
  const list = worst.map(([label, count]) => `  ${String(count).padStart(3)} × ${label}\n`).join('')
  const head = bold(`cycle ${cycle}: not settled, the root stays`)
  return `\n${head}\n${list}  a busy machine needs slower blocks (--block-ms 2000); --json tells every step\n\n`
}

const TROUBLES = 4

const rowOf = (line: Line, names: ReadonlyMap<string, string>): string =>
  row(
    nameOf(line, names),
    line.group ?? '',
    nats(line.gain),
    nats(line.marginal),
    percent(line.reward),
    line.reason ?? '',
  )

const nameOf = ({ hotkey }: Line, names: ReadonlyMap<string, string>): string => names.get(hotkey) ?? hotkey
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const row = (name: string, group: string, gain: string, adds: string, reward: string, why: string): string =>
  `${name.padEnd(NAME_CHARS)} ${group.padEnd(9)} ${gain.padStart(7)} ${adds.padStart(7)} ${reward.padStart(7)}   ${why}`.trimEnd()

const weightsText = ({ weights }: CycleStory): string => weights.map(([uid, weight]) => `${uid}:${weight}`).join(' ')
