import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type SelectTask, selectJob } from '../../../src/gpu/worker/select-job.ts'
import { createStage, modelPath, silent } from './stage.ts'

const path = createStage()
const MACHINE = { device: 'cpu', threads: 1 } as const

/** Domains of a vocabulary of 41: low tokens, and high ones. */
function tokensOf(name: string, first: number): { readonly kind: 'tokens'; readonly path: string } {
  const rows = Array.from({ length: 12 }, (_, row) =>
    Array.from({ length: 9 }, (_, i) => first + ((row * 7 + i * 5) % 20)),
  )
  writeFileSync(path(name), JSON.stringify(rows))
  return { kind: 'tokens', path: path(name) }
}

const task = (model: string, changes: Partial<SelectTask> = {}): SelectTask => ({
  ...MACHINE,
  directory: modelPath(model),
  domains: [
    { name: 'low', source: tokensOf('low.json', 0) },
    { name: 'high', source: tokensOf('high.json', 20) },
  ],
  experts: 2,
  sequencesMax: null,
  groups: null,
  ...changes,
})

test.each([
  ['mixtral', 3],
  ['deepseek-old-rope', 2],
] as const)('experts of %s are divided among domains, and the groups hold their tensors', async (model, layers) => {
  const groups = path(`${model}.json`)
  const result = await selectJob(task(model, { groups }), silent)
  for (const domain of result.domains) {
    expect(domain.tokens).toBe(12 * 8)
    expect(domain.layers).toHaveLength(layers)
  }
  const [low, high] = result.domains.map((domain) => domain.layers.map(({ experts }) => experts))
  expect(low?.map((experts, i) => [...experts, ...(high?.[i] ?? [])].toSorted())).toEqual(
    Array.from({ length: layers }, () => [0, 1, 2, 3]),
  )
  for (const group of result.groups) {
    expect(group.tensors).toHaveLength(layers * 2 * 3)
    expect(group.tensors).toEqual(group.tensors.toSorted())
  }
  expect(new Set(result.groups.flatMap(({ tensors }) => tensors)).size).toBe(layers * 4 * 3)
  const written = JSON.parse(readFileSync(groups, 'utf8'))
  expect(written).toEqual({ groups: result.groups, router: result.router })
  expect(written.router.tensors).toHaveLength(layers)
})

test('gates of a token that are scaled to one add up to one, and shares are of them', async () => {
  const { domains } = await selectJob(task('mixtral'), silent)
  for (const { gates, experts, share } of domains.flatMap(({ layers }) => layers)) {
    expect(gates.reduce((sum, gate) => sum + gate, 0)).toBeCloseTo(1, 5)
    expect(share).toBeCloseTo(
      experts.reduce((sum, expert) => sum + (gates[expert] as number), 0),
      5,
    )
  }
})

test('as many sequences as wanted are read, and it is told how far', async () => {
  const told: number[] = []
  const { domains } = await selectJob(task('mixtral', { sequencesMax: 5 }), ({ done, of }) => told.push(done / of))
  expect(domains.map(({ tokens }) => tokens)).toEqual([40, 40])
  expect(told.at(-1)).toBe(1)
})

test.each([
  ['more experts than there are', task('mixtral', { experts: 3 }), 'USAGE', '--experts 2'],
  ['experts of one tensor', task('qwen3-stacked'), 'MODEL_UNSUPPORTED', 'one by one'],
] as const)('%s cannot be divided', async (_, wanted, code, words) => {
  const error = await selectJob(wanted, silent).catch((thrown) => thrown)
  expect(error).toMatchObject({ code })
  expect(`${error.what} ${error.why} ${error.remedy}`).toContain(words)
})
