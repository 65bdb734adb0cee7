/**
 * `wheelwright up`: a whole local network in this process, whole cycles of the real protocol over a development chain.
 *
 * With a seed it is a rehearsal: chain and time are the simulation's, and the same seed tells the same story to the byte.
 * It runs as fast as it can when the number of cycles is given, and at a pace to watch otherwise.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { BLOCK_MS_MAX, BLOCK_MS_MIN } from '../chain/dev/index.ts'
import { NodeError } from '../errors.ts'
import { type NodeEvent, ROGUES, type Rogue } from '../event.ts'
import { deadlinesOf } from '../protocol/clock.ts'
import { PRESETS } from '../protocol/preset.ts'
import { createVirtualGround, type MakeGround } from '../sim/ground.ts'
import { TOY_KIT } from '../sim/toy-kit.ts'
import { createWorld } from '../sim/world.ts'
import type { FlagValues } from './command.ts'
import type { UP_FLAGS } from './command-table.ts'
import { type Io, printable, styleFor, writeJson } from './io.ts'
import { createLocalGround } from './local-chain.ts'
import { createGenesisKit } from './local-engine.ts'
import { type CycleStory, storyOf, summaryOf } from './story.ts'
import { cycleText, openingText, phaseText, troubleText } from './up-text.ts'

/** A cycle of a rehearsal in six seconds. */
const WATCHED_BLOCK_MS = 100
/** Whose keys and data, where nobody names a seed. */
const DEFAULT_SEED = 1
/** A summary of days would be a line of megabytes. */
const SUMMARY_CYCLES_MAX = 1_000

export async function run(flags: FlagValues<typeof UP_FLAGS>, io: Io): Promise<void> {
  const { cycles, json } = flags
  const style = styleFor(io.stdout, io.env)
  const story: CycleStory[] = []
  let events: NodeEvent[] = []
  let witness = ''

  const observe = (event: NodeEvent): void => {
    if ('cycle' in event && cycles !== undefined && event.cycle >= cycles) return // the next cycle, as the last one ends
    if (event.type === 'node.started' && event.role === 'validator' && witness === '') witness = event.node
    events.push(event)
    if (json) writeJson(io.stdout, event)
    else if (event.type === 'phase.entered' && event.node === witness) {
      io.stdout.write(phaseText(event.cycle, event.phase, event.at, style))
    }
  }
  const { ground, pauseMs } = groundOf(flags, io)
  const { seed = null } = flags
  // A rehearsal is the same to the byte everywhere, which floats are not: it keeps the toy.
  const kit = seed === null ? await createGenesisKit() : TOY_KIT
  const cast = { seed: seed ?? DEFAULT_SEED, validators: 4, minersPerGroup: 3, rogues: roguesOf(flags.rogues) }
  const world = await createWorld(cast, { ground, observe, kit })
  if (!json) io.stdout.write(openingText(world, seed, kit.about))
  try {
    for (let next = 0; !io.signal.aborted && next !== cycles; ) {
      await world.step()
      if (world.past() >= deadlinesOf(world.constitution, next).last) {
        const told = storyOf(events, witness, world.rootOf).filter(({ cycle }) => cycle === next)
        story.push(...told)
        if (!json) for (const cycle of told) io.stdout.write(cycleText(cycle, world.actors, style))
        if (!json && !told.some(({ isNew }) => isNew)) io.stdout.write(troubleText(events, next, style))
        // What was told is kept as its summary alone: this may run for days.
        events = events.filter((event) => 'cycle' in event && event.cycle > next)
        next += 1
      }
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal: io.signal }).catch(() => undefined)
    }
  } finally {
    await world.stop()
  }
  const recent = story.slice(-SUMMARY_CYCLES_MAX)
  if (json) writeJson(io.stdout, { type: 'summary', at: world.head(), node: witness, cycles: summaryOf(recent) })
  if (cycles === undefined) return
  if (io.signal.aborted) throw io.signal.reason
  checkSettled(story, cycles)
}

/** What the network stands on, and how long to pause after a block for who watches. */
type Stand = { readonly ground: MakeGround; readonly pauseMs: number }

function groundOf({ seed, cycles, port, 'block-ms': blockMs }: FlagValues<typeof UP_FLAGS>, { signal }: Io): Stand {
  if (seed === undefined) {
    const pace = blockMs ?? PRESETS.local.blockMs
    if (pace >= BLOCK_MS_MIN && pace <= BLOCK_MS_MAX) {
      return { ground: createLocalGround({ blockMs: pace, port: port ?? 0, signal }), pauseMs: 0 }
    }
    throw new NodeError('USAGE', {
      what: `--block-ms cannot be '${pace}'`,
      why: `a development chain makes a block every ${BLOCK_MS_MIN} to ${BLOCK_MS_MAX} ms`,
      remedy: 'with --seed, a rehearsal takes any pace',
    })
  }
  if (port !== undefined) {
    throw new NodeError('USAGE', { what: '--port is for a real chain', why: 'with --seed the chain is in memory' })
  }
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const pauseMs = blockMs ?? (cycles === undefined ? WATCHED_BLOCK_MS : 0)
  return { ground: createVirtualGround({ seed, turn }), pauseMs }
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
