/** How long the main thread stands still while the engine trains: it does not, because the engine is elsewhere. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runJob } from '../../src/cli/engine-open.ts'
import { openCheckpoint } from '../../src/gpu/model/checkpoint.ts'

const GENESIS = join(import.meta.dirname, '..', '..', 'bootstrap', 'genesis')
const [STEPS, BATCH, PLACES] = [12, 64, 129]

/** The longest time between two turns of the event loop, less the wait that was asked for. */
function watch(): { readonly end: () => number } {
  let longestMs = 0
  let lastMs = performance.now()
  const timer = setInterval(() => {
    const nowMs = performance.now()
    longestMs = Math.max(longestMs, nowMs - lastMs - 1)
    lastMs = nowMs
  }, 1)
  return {
    end: () => {
      clearInterval(timer)
      return longestMs
    },
  }
}

test('the event loop goes on while a job trains', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stall-'))
  const { model } = await openCheckpoint(GENESIS)
  const rows = Array.from({ length: BATCH }, (_, row) =>
    Array.from({ length: PLACES }, (_, place) => (7 * row + 11 * place) % model.vocabulary),
  )
  const path = join(folder, 'tokens.json')
  await writeFile(path, JSON.stringify(rows))
  const idle = watch()
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const idleMs = idle.end()

  let [stepMs, startMs, begunMs] = [0, 0, performance.now()]
  let busy = watch()
  const task = {
    directory: GENESIS,
    source: { kind: 'tokens', path } as const,
    device: 'cpu' as const,
    threads: 1,
    experts: [0, 1, 2, 3],
    router: false,
    steps: STEPS,
    schedule: { rate: 1e-3, warmupSteps: 0, decay: 'constant', floor: 0 } as const,
    weightDecay: 0,
    normMax: null,
    batch: BATCH,
    heldOutShare: 0,
    validateEverySteps: 1,
    patience: 0,
    saveEverySteps: STEPS,
    out: folder,
  }
  await runJob({ kind: 'job', name: 'train', task } as const, {
    signal: new AbortController().signal,
    tell: () => {
      if (stepMs === 0) {
        startMs = busy.end()
        busy = watch()
      }
      stepMs = performance.now() - begunMs
      begunMs = performance.now()
    },
  })
  const busyMs = busy.end()
  await rm(folder, { recursive: true })
  const [idleText, startText, busyText] = [idleMs, startMs, busyMs].map((ms) => `${ms.toFixed(1)} ms`)
  console.log(
    `longest stall of the main thread: ${busyText} in training, ${startText} before the first step, ${idleText} idle; ` +
      `a step takes ${stepMs.toFixed(0)} ms`,
  )
  // How long exactly is the scheduler's matter on a busy machine; a step in this thread would stall it as long as it takes.
  expect(busyMs).toBeLessThan(stepMs)
})
