import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encode } from '../../src/protocol/codec.ts'
import { TENSORS_MAX } from '../../src/protocol/limits.ts'
import {
  decodeModel,
  decodePage,
  decodeSubmission,
  encodeModel,
  encodePage,
  encodeSubmission,
  judgeSubmission,
  modelCid,
  pageShape,
  pagesOf,
  type Submission,
  type SubmissionCode,
  type SubmissionView,
  submissionShape,
  type TensorEntry,
  withPages,
} from '../../src/protocol/manifest.ts'
import { Flaw } from '../../src/protocol/schema.ts'
import { HUB, ROUTER } from '../../src/protocol/track.ts'
import { baseCid, CYCLE, cidOfText, minerKey, model, network, pageOf, submissionOf, tensorNamed } from './world.ts'

const submission = submissionOf(minerKey(0))
const part = (...tensors: TensorEntry[]): ReadonlyMap<string, TensorEntry> => new Map(tensors.map((t) => [t.name, t]))
const code = part(tensorNamed('code.0.weight'), tensorNamed('code.1.weight'), {
  ...tensorNamed('code.steps'),
  dtype: 'I32',
})
const parts = new Map([
  ['code', code],
  [ROUTER, part(tensorNamed('router.weight'))],
])
const view: SubmissionView = {
  network: network.constitution,
  cycle: CYCLE,
  hotkey: minerKey(0).hotkey,
  base: baseCid,
  bytesMax: 1_000,
  routerOpen: false,
  tensorsOf: (group) => parts.get(group),
}
const tensors = (...list: TensorEntry[]): Partial<Submission> => ({ tensors: list })
const router = { group: ROUTER, tensors: [tensorNamed('router.weight')] }

const verdicts: [why: string, change: Partial<Submission>, view: Partial<SubmissionView>, SubmissionCode | null][] = [
  ['a whole group', {}, {}, null],
  ['a part of a group', tensors(tensorNamed('code.1.weight')), {}, null],
  ['routing rows in a router cycle', router, { routerOpen: true }, null],
  ['exactly as many bytes as allowed', {}, { bytesMax: 32 }, null],
  ['another network', { network: cidOfText('elsewhere') }, {}, 'MANIFEST_FOREIGN'],
  ['another cycle', { cycle: CYCLE - 1 }, {}, 'MANIFEST_FOREIGN'],
  ['the manifest of another miner', { hotkey: minerKey(1).hotkey }, {}, 'MANIFEST_FOREIGN'],
  ['an older base', { base: cidOfText('older') }, {}, 'BASE_STALE'],
  ['an unknown group', { group: 'poetry' }, {}, 'GROUP_UNKNOWN'],
  ['the hub', { group: HUB }, {}, 'GROUP_UNKNOWN'],
  ['routing rows outside a router cycle', router, {}, 'ROUTER_CLOSED'],
  ['one byte too many', {}, { bytesMax: 31 }, 'SUBMISSION_TOO_LARGE'],
  ["another group's tensor", tensors(tensorNamed('law.0.weight')), {}, 'TENSOR_FOREIGN'],
  ["the router's tensor in a group", tensors(tensorNamed('router.weight')), {}, 'TENSOR_FOREIGN'],
  ['another dtype', tensors({ ...tensorNamed('code.0.weight'), dtype: 'F64' }), {}, 'TENSOR_DTYPE'],
  ['a dtype that cannot be merged', tensors({ ...tensorNamed('code.steps'), dtype: 'I32' }), {}, 'TENSOR_DTYPE'],
  ['another rank', tensors({ ...tensorNamed('code.0.weight'), shape: [4] }), {}, 'TENSOR_SHAPE'],
  ['a transposed shape', tensors({ ...tensorNamed('code.0.weight'), shape: [4, 1] }), {}, 'TENSOR_SHAPE'],
]
test.each(verdicts)('judged: %s', (_, change, known, verdict) =>
  expect(judgeSubmission({ ...view, ...known }, { ...submission, ...change })).toBe(verdict),
)

const one = tensorNamed('code.0.weight')
const flaws: [why: string, tensors: readonly TensorEntry[], field: string][] = [
  ['no tensor', [], 'tensors'],
  ['a name twice', [one, one], 'tensors[1]'],
  ['names in falling order', [tensorNamed('b'), tensorNamed('a')], 'tensors[1]'],
  ['a name with a space', [{ ...one, name: 'a b' }], 'tensors[0].name'],
  ['a reserved name', [{ ...one, name: '__proto__' }], 'tensors[0].name'],
  ['a name too long', [{ ...one, name: 'x'.repeat(129) }], 'tensors[0].name'],
  ['bytes that are not what the shape comes to', [{ ...one, bytes: 15 }], 'tensors[0].bytes'],
  ['a shape beyond every limit', [{ ...one, shape: [2 ** 31 - 1, 2 ** 31 - 1] }], 'tensors[0].bytes'],
  ['a dimension that is no integer', [{ ...one, shape: [1.5] }], 'tensors[0].shape[0]'],
  ['a rank of nine', [{ ...one, shape: [1, 1, 1, 1, 1, 1, 1, 1, 4] }], 'tensors[0].shape'],
  ['a dtype of no table', [{ ...one, dtype: 'F8' as 'F16' }], 'tensors[0].dtype'],
  ['too many', Array.from({ length: TENSORS_MAX + 1 }, (_, i) => tensorNamed(`t${10_000 + i}`)), 'tensors'],
]
test.each(flaws)('malformed: %s', (_, list, field) => {
  const read = [
    decodeSubmission(encode(submissionShape, { ...submission, tensors: list })),
    decodePage(encode(pageShape, { tensors: list })),
  ]
  for (const flaw of read) {
    expect(flaw).toBeInstanceOf(Flaw)
    expect((flaw as Flaw).field).toBe(field)
  }
})

test.each<[why: string, change: object]>([
  ['a delta instead of values', { encoding: 'delta' }],
  ['a group in capitals', { group: 'Code' }],
  ['a negative cycle', { cycle: -1 }],
])('malformed: %s', (_, change) => {
  expect(decodeSubmission(encode(submissionShape, { ...submission, ...change } as Submission))).toBeInstanceOf(Flaw)
})

test('manifests come back as they were written', () => {
  expect(decodeSubmission(encodeSubmission(submission))).toEqual(submission)
  expect(decodePage(encodePage(pageOf('code')))).toEqual(pageOf('code'))
  expect(decodeModel(encodeModel(model))).toEqual(model)
})

test('other pages for one part change the model, the same pages do not', () => {
  const pages = [cidOfText('new page')]
  const changed = withPages(model, 'code', pages)
  expect(pagesOf(changed, 'code')).toEqual(pages)
  expect(pagesOf(changed, 'law')).toEqual(pagesOf(model, 'law'))
  expect(modelCid(changed)).not.toBe(modelCid(model))
  expect(modelCid(withPages(changed, 'code', pagesOf(model, 'code')))).toBe(modelCid(model))
  expect(pagesOf(model, 'poetry')).toEqual([])
})

test('submissions of any shapes come back as they were written', () => {
  const shape = fc.array(fc.nat({ max: 50 }), { maxLength: 4 })
  const named = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z.]{0,20}$/), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(named, shape, fc.constantFrom('BF16', 'F16', 'F32'), (names, dims, dtype) => {
      const bytes = dims.reduce((product, dim) => product * dim, dtype === 'F32' ? 4 : 2)
      const list = names.sort().map((name) => ({ ...tensorNamed(name), dtype, shape: dims, bytes }) as TensorEntry)
      const given = { ...submission, tensors: list }
      expect(decodeSubmission(encodeSubmission(given))).toEqual(given)
    }),
  )
})
