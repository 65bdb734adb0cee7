/**
 * `wheelwright up`: a whole local network in this process, whole cycles of the real protocol over ports of memory.
 *
 * Virtual time runs as fast as it can when the number of cycles is given, and at a pace to watch otherwise.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { NodeError } from '../errors.ts'
import { type NodeEvent, ROGUES, type Rogue } from '../event.ts'
import { deadlinesOf } from '../protocol/clock.ts'
import { constitutionCid } from '../protocol/constitution.ts'
import { createWorld, type World } from '../sim/world.ts'
import type { FlagValues } from './command.ts'
import type { UP_FLAGS } from './command-table.ts'
import { type Io, styleFor, writeJson } from './io.ts'
import { type CycleStory, storyOf, summaryOf } from './story.ts'
import { cycleText, openingText, phaseText } from './up-text.ts'

/** A cycle of the local preset in six seconds. */
const WATCHED_BLOCK_MS = 100

export async function run(flags: FlagValues<typeof UP_FLAGS>, io: Io): Promise<void> {
  const { cycles, seed, json } = flags
  const blockMs = flags['block-ms'] ?? (cycles === undefined ? WATCHED_BLOCK_MS : 0)
  const events: NodeEvent[] = []
  const told = new Set<number>()
  const style = styleFor(io.stdout, io.env)
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
      if (!json) tellCycles(world, storyOf(events, witness, world.rootOf), told, io)
      if (blockMs > 0) await sleep(blockMs, undefined, { signal: io.signal }).catch(() => undefined)
    }
  } finally {
    world.stop()
  }
  const story = storyOf(events, witness, world.rootOf)
  if (json) writeJson(io.stdout, { type: 'summary', at: world.head(), node: witness, cycles: summaryOf(story) })
  if (cycles !== undefined && !io.signal.aborted) checkSettled(story, cycles)
}

/** Over when the last cycle's weights are final. */
function isOver({ constitution, head }: World, cycles: number | undefined): boolean {
  return cycles !== undefined && head() > deadlinesOf(constitution, cycles - 1).last + constitution.chain.finality
}

/** A cycle is told when everything about it is known: when its last block is final. */
function tellCycles(world: World, story: readonly CycleStory[], told: Set<number>, io: Io): void {
  for (const cycle of story) {
    const { last } = deadlinesOf(world.constitution, cycle.cycle)
    if (told.has(cycle.cycle) || world.head() <= last) continue
    told.add(cycle.cycle)
    io.stdout.write(cycleText(cycle, world.actors, styleFor(io.stdout, io.env)))
  }
}

function checkSettled(story: readonly CycleStory[], cycles: number): void {
  const settled = story.filter(({ certified }) => certified).length
  if (settled === cycles) return
  throw new NodeError('CYCLE_UNSETTLED', {
    what: `${cycles - settled} of ${cycles} cycles did not settle`,
    why: 'less than two thirds of the stake agreed on them in time',
  })
}

function roguesOf(list: string): readonly Rogue[] {
  if (list === 'none') return []
  if (list === 'all') return ROGUES
  return list.split(',').map((name) => {
    const rogue = ROGUES.find((r) => r === name)
    if (rogue !== undefined) return rogue
    throw new NodeError('USAGE', {
      what: `there is no rogue of this kind`,
      why: `--rogues takes all, none, or a list of ${ROGUES.join(', ')}`,
      remedy: "run 'wheelwright up --help'",
    })
  })
}
