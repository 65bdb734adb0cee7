/**
 * `wheelwright up`: a whole local network in this process, whole cycles of the real protocol over ports of memory.
 *
 * Virtual time runs as fast as it can when the number of cycles is given, and at a pace to watch otherwise.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { NodeError } from '../errors.ts'
import { type NodeEvent, ROGUES, type Rogue } from '../event.ts'
import { deadlinesOf, momentAt } from '../protocol/clock.ts'
import { constitutionCid } from '../protocol/constitution.ts'
import { createWorld, type World } from '../sim/world.ts'
import type { FlagValues } from './command.ts'
import type { UP_FLAGS } from './command-table.ts'
import { type Io, printable, styleFor, writeJson } from './io.ts'
import { type CycleStory, storyOf, summaryOf } from './story.ts'
import { cycleText, openingText, phaseText } from './up-text.ts'

/** A cycle of the local preset in six seconds. */
const WATCHED_BLOCK_MS = 100
/** A summary of days would be a line of megabytes. */
const SUMMARY_CYCLES_MAX = 1_000

export async function run(flags: FlagValues<typeof UP_FLAGS>, io: Io): Promise<void> {
  const { cycles, seed, json } = flags
  const blockMs = flags['block-ms'] ?? (cycles === undefined ? WATCHED_BLOCK_MS : 0)
  const style = styleFor(io.stdout, io.env)
  const story: CycleStory[] = []
  let events: NodeEvent[] = []
  let witness = ''

  const observe = (event: NodeEvent): void => {
    if ('cycle' in event && cycles !== undefined && event.cycle >= cycles) return // the next cycle, as the last one ends
    if (event.type === 'node.started' && witness === '') witness = event.node
    events.push(event)
    if (json) writeJson(io.stdout, event)
    else if (event.type === 'phase.entered' && event.node === witness) {
      io.stdout.write(phaseText(event.cycle, event.phase, event.at, style))
    }
  }
  const world = await createWorld(
    { seed, validators: 4, minersPerGroup: 3, rogues: roguesOf(flags.rogues) },
    { turn: () => new Promise((resolve) => setImmediate(resolve)), observe },
  )
  if (!json) io.stdout.write(openingText(world.actors, seed, constitutionCid(world.constitution)))
  try {
    while (!io.signal.aborted && !isOver(world, cycles)) {
      await world.step()
      const ended = cycleThatEnded(world)
      if (ended !== null) {
        const told = storyOf(events, witness, world.rootOf).filter(({ cycle }) => cycle === ended)
        story.push(...told)
        if (!json) for (const cycle of told) io.stdout.write(cycleText(cycle, world.actors, style))
        // What was told is kept as its summary alone: this may run for days.
        events = events.filter((event) => 'cycle' in event && event.cycle > ended)
      }
      if (blockMs > 0) await sleep(blockMs, undefined, { signal: io.signal }).catch(() => undefined)
    }
  } finally {
    world.stop()
  }
  const recent = story.slice(-SUMMARY_CYCLES_MAX)
  if (json) writeJson(io.stdout, { type: 'summary', at: world.head(), node: witness, cycles: summaryOf(recent) })
  if (cycles === undefined) return
  if (io.signal.aborted) throw io.signal.reason
  checkSettled(story, cycles)
}

/** Over when the last cycle has been told. */
function isOver({ constitution, head }: World, cycles: number | undefined): boolean {
  return cycles !== undefined && head() > deadlinesOf(constitution, cycles - 1).last + constitution.chain.finality
}

/** Everything about a cycle is known when its last block is final. */
function cycleThatEnded({ constitution, head }: World): number | null {
  const block = head() - constitution.chain.finality - 1
  const moment = momentAt(constitution, block)
  return moment !== null && block === deadlinesOf(constitution, moment.cycle).last ? moment.cycle : null
}

/** Settled is a cycle whose validators stand on its own new root, not one that ended with the old one. */
function checkSettled(story: readonly CycleStory[], cycles: number): void {
  const settled = story.filter(({ certified, isNew }) => certified && isNew).length
  if (settled === cycles) return
  throw new NodeError('CYCLE_UNSETTLED', {
    what: `${cycles - settled} of ${cycles} cycles did not settle`,
    why: 'less than two thirds of the stake agreed on them in time',
  })
}

function roguesOf(list: string): readonly Rogue[] {
  if (list === 'none') return []
  if (list === 'all') return ROGUES
  const names = [...new Set(list.split(','))]
  return names.map((name) => {
    const rogue = ROGUES.find((r) => r === name)
    if (rogue !== undefined) return rogue
    throw new NodeError('USAGE', {
      what: `there is no rogue '${printable(name)}'`,
      why: `--rogues takes all, none, or a list of ${ROGUES.join(', ')}`,
      remedy: "run 'wheelwright up --help'",
    })
  })
}
