/** Opt-in: `transformers` loads what we export, and it is the model that we mean. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { exportJob } from '../../src/gpu/worker/export-job.ts'
import { lossJob, trainJob } from '../../src/gpu/worker/job.ts'
import { mergeJob } from '../../src/gpu/worker/merge-job.ts'
import { isThere, PYTHON } from './python.ts'

const MODELS = join(import.meta.dirname, '..', 'fixtures', 'models')
const MACHINE = { device: 'cpu', threads: 1 } as const
const silent = () => undefined

describe.skipIf(!isThere)('transformers loads what we export', () => {
  const root = mkdtempSync(join(tmpdir(), 'wheelwright-export-'))
  afterAll(() => rmSync(root, { recursive: true }))

  test.each(readdirSync(MODELS))('%s, two experts trained, merged and exported', async (name) => {
    const directory = join(MODELS, name)
    const source = { kind: 'tokens', path: join(directory, 'tokens.json') } as const
    const deltas = []
    for (const expert of [0, 3]) {
      const trained = await trainJob(
        {
          ...MACHINE,
          directory,
          source,
          experts: [expert],
          router: true,
          steps: 3,
          schedule: { rate: 0.02, warmupSteps: 0, decay: 'constant', floor: 1 },
          weightDecay: 0,
          normMax: null,
          batch: null,
          heldOutShare: 0,
          validateEverySteps: 1,
          patience: 0,
          saveEverySteps: 3,
          out: join(root, `${name}-${expert}`),
        },
        silent,
      )
      deltas.push({ path: trained.delta, weight: 1 + expert })
    }
    const merged = await mergeJob({ directory, deltas, etaPpm: 1_000_000, out: join(root, `${name}-merged`) }, silent)
    const out = join(root, name)
    await exportJob({ directory, delta: merged.delta, out, link: false }, silent)

    const [before, after] = [await lossJob({ ...MACHINE, directory, source }, silent), await lossOf(out)]
    expect(after.loss).toBeLessThan(before.loss - 0.01)
    const { status, stdout, stderr } = spawnSync(PYTHON, [join(import.meta.dirname, 'loss.py'), out])
    expect(status, stderr.toString()).toBe(0)
    const theirs = JSON.parse(stdout.toString().trim().split('\n').at(-1) ?? '')
    expect(theirs).toMatchObject({ missing: [], unexpected: [] })
    expect(Math.abs(theirs.loss - after.loss)).toBeLessThan(1e-5)
  })

  const lossOf = (directory: string) =>
    lossJob({ ...MACHINE, directory, source: { kind: 'tokens', path: join(directory, 'tokens.json') } }, silent)
})
