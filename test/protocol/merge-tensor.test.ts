import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  allFinite,
  ETA_PPM_MAX,
  judgeNorm,
  type Merge,
  mergeTensor,
  normSquares,
} from '../../src/protocol/merge-tensor.ts'
import { DTYPES, type TrainableDtype } from '../../src/protocol/tensor.ts'
import { hexBytes, toHex } from '../../src/util/bytes.ts'
import golden from '../fixtures/protocol/merge.json' with { type: 'json' }
import { fromBytes, slowMerge, toBytes } from '../fixtures/protocol/slow-float.ts'

const DTYPE_LIST = ['BF16', 'F16', 'F32'] as const
const widthOf = (dtype: TrainableDtype): number => DTYPES[dtype].bytes

const slowly = ({ dtype, base, updates, etaPpm }: Merge): Uint8Array | null => {
  const width = widthOf(dtype)
  const values = updates.map((update) => ({ values: fromBytes(update.values, width), weight: update.weight }))
  const merged = slowMerge({ dtype, base: fromBytes(base, width), updates: values, etaPpm })
  return merged === null ? null : toBytes(merged, width)
}

const vectors = golden.merges.map((vector) => ({
  name: `${vector.dtype}: ${vector.why}`,
  expected: vector.merged,
  merge: {
    dtype: vector.dtype as TrainableDtype,
    etaPpm: vector.etaPpm,
    base: hexBytes(vector.base),
    updates: vector.updates.map(({ values, weight }) => ({ values: hexBytes(values), weight })),
  },
}))

test.each(vectors)('golden vector, $name', ({ merge, expected }) => {
  expect(toHex(mergeTensor(merge))).toBe(expected)
  expect(toHex(slowly(merge) ?? new Uint8Array())).toBe(expected)
})

const exponents = { BF16: 0x7f80, F16: 0x7c00, F32: 0x7f80_0000 } as const
const element = (dtype: TrainableDtype) =>
  fc
    .integer({ min: 0, max: 2 ** (8 * widthOf(dtype)) - 1 })
    .filter((bits) => (bits & exponents[dtype]) !== exponents[dtype])

/** Enough updates to pass through both loops of a merge; elements near the base as well as anywhere. */
const merges = fc.constantFrom(...DTYPE_LIST).chain((dtype) =>
  fc.integer({ min: 1, max: 9 }).chain((length) => {
    const values = fc
      .array(element(dtype), { minLength: length, maxLength: length })
      .map((bits) => toBytes(bits.map(BigInt), widthOf(dtype)))
    const update = fc.record({ values, weight: fc.integer({ min: 1, max: 0xffff_ffff }) })
    return fc.record({
      dtype: fc.constant(dtype),
      base: values,
      updates: fc.array(update, { minLength: 1, maxLength: 6 }),
      etaPpm: fc.integer({ min: 0, max: 2_000_000 }),
    })
  }),
)

test('a merge is what exact fractions say', () => {
  fc.assert(
    fc.property(merges, (merge) => {
      const expected = slowly(merge)
      fc.pre(expected !== null)
      expect(toHex(mergeTensor(merge))).toBe(toHex(expected))
    }),
    { numRuns: 500 },
  )
})

const seeded = (dtype: TrainableDtype, length: number, seed: number): Uint8Array => {
  const bytes = new Uint8Array(length * widthOf(dtype))
  let state = seed
  const top = widthOf(dtype) - 1
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    bytes[i] = i % (top + 1) === top ? 0x38 + ((state >>> 24) & 0x83) : state >>> 24
  }
  return bytes
}

describe.each(DTYPE_LIST)('%s', (dtype) => {
  const width = widthOf(dtype)
  const length = 20_011
  const base = seeded(dtype, length, 1)
  const updates = [2, 3, 4, 5, 6].map((seed) => ({ values: seeded(dtype, length, seed), weight: seed * 1_000_003 }))
  const merge: Merge = { dtype, base, updates, etaPpm: 700_000 }
  const whole = mergeTensor(merge)

  test('a long tensor is merged as exact fractions say, across every block', () => {
    for (const from of [0, 8_190, 16_382, length - 5]) {
      const cut = (bytes: Uint8Array) => bytes.slice(from * width, (from + 5) * width)
      const part = { ...merge, base: cut(base), updates: updates.map((u) => ({ ...u, values: cut(u.values) })) }
      expect(toHex(cut(whole))).toBe(toHex(slowly(part) as Uint8Array))
    }
  })

  test('consecutive slices give the bytes of the whole', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: length - 1 }), { maxLength: 4 }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), length]
        const slices = edges.slice(1).map((end, i) => {
          const cut = (bytes: Uint8Array) => bytes.subarray((edges[i] as number) * width, end * width)
          return mergeTensor({
            ...merge,
            base: cut(base),
            updates: updates.map((u) => ({ ...u, values: cut(u.values) })),
          })
        })
        expect(Buffer.concat(slices).equals(whole)).toBe(true)
      }),
      { numRuns: 10 },
    )
  })

  test.each([1, 2, 3])('bytes that lie %i beyond a word are read alike', (offset) => {
    const moved = (bytes: Uint8Array) => {
      const room = new Uint8Array(bytes.length + offset)
      room.set(bytes, offset)
      return room.subarray(offset)
    }
    const unaligned = { ...merge, base: moved(base), updates: updates.map((u) => ({ ...u, values: moved(u.values) })) }
    expect(Buffer.from(mergeTensor(unaligned)).equals(whole)).toBe(true)
    expect(allFinite(dtype, moved(base))).toBe(true)
    const values = updates[0]?.values as Uint8Array
    expect(normSquares({ dtype, base: moved(base), values: moved(values) })).toEqual(
      normSquares({ dtype, base, values }),
    )
  })

  test('a merge changes none of its inputs', () => {
    const before = toHex(base)
    mergeTensor(merge)
    expect(toHex(base)).toBe(before)
  })

  test('an empty tensor merges to an empty one', () => {
    const none = new Uint8Array()
    expect(mergeTensor({ dtype, base: none, updates: [{ values: none, weight: 1 }], etaPpm: 1 })).toEqual(none)
  })

  test.each([0, 1, 8_191, 8_192, length - 1])('a value that is not finite is seen at element %i', (at) => {
    for (const sign of [0, 0x80]) {
      for (const low of [0, 1]) {
        const bytes = base.slice()
        const bits = BigInt(exponents[dtype]) | BigInt(low) | (BigInt(sign) << BigInt(8 * width - 8))
        bytes.set(toBytes([bits], width), at * width)
        expect(allFinite(dtype, bytes)).toBe(false)
        expect(() => mergeTensor({ ...merge, base: bytes })).toThrow('finite')
        expect(() => mergeTensor({ ...merge, updates: [{ values: bytes, weight: 1 }] })).toThrow('finite')
        expect(() => mergeTensor({ ...merge, updates: [{ values: bytes, weight: 1 }], etaPpm: 0 })).toThrow('finite')
      }
    }
    expect(allFinite(dtype, base)).toBe(true)
  })

  test('a sum of finite values may overflow, and says so', () => {
    const largest = toBytes([BigInt(exponents[dtype]) - 1n], width)
    const lowest = toBytes([(BigInt(exponents[dtype]) - 1n) | (1n << BigInt(8 * width - 1))], width)
    const merged = mergeTensor({ dtype, base: lowest, updates: [{ values: largest, weight: 1 }], etaPpm: ETA_PPM_MAX })
    expect(allFinite(dtype, merged)).toBe(false)
  })

  test('norms do not depend on where a tensor is cut', () => {
    const values = updates[0]?.values as Uint8Array
    const all = normSquares({ dtype, base, values })
    for (const at of [1, 4_096, 8_192, 8_193].map((count) => count * width)) {
      const first = normSquares({ dtype, base: base.subarray(0, at), values: values.subarray(0, at) })
      expect(normSquares({ dtype, base: base.subarray(at), values: values.subarray(at) }, first)).toEqual(all)
    }
  })
})

test('types without infinities are always finite, and F64 is read by its upper half', () => {
  for (const dtype of ['I64', 'I32', 'I16', 'I8', 'U8', 'BOOL'] as const) {
    expect(allFinite(dtype, new Uint8Array(16).fill(0xff))).toBe(true)
  }
  const doubles = (...values: number[]) => new Uint8Array(Float64Array.from(values).buffer)
  expect(allFinite('F64', doubles(0, -1, Number.MAX_VALUE))).toBe(true)
  expect(allFinite('F64', doubles(0, Number.NEGATIVE_INFINITY))).toBe(false)
  expect(allFinite('F64', doubles(Number.NaN, 0))).toBe(false)
  expect(allFinite('F64', Uint8Array.of(0, 0, 0xf0, 0x7f, 0, 0, 0, 0))).toBe(true)
})

const one = {
  dtype: 'F32',
  base: new Uint8Array(8),
  updates: [{ values: new Uint8Array(8), weight: 1 }],
  etaPpm: 1,
} as const
const mistakes: [why: string, merge: Merge, claim: string][] = [
  ['no update', { ...one, updates: [] }, 'at least one'],
  ['too many', { ...one, updates: Array.from({ length: 257 }, () => one.updates[0]) }, 'at least one'],
  ['half an element', { ...one, base: new Uint8Array(6) }, 'whole elements'],
  ['another length', { ...one, base: new Uint8Array(4) }, 'as long as'],
  ['a weight of zero', { ...one, updates: [{ values: one.base, weight: 0 }] }, 'positive integer'],
  ['a broken weight', { ...one, updates: [{ values: one.base, weight: 0.5 }] }, 'positive integer'],
  [
    'weights beyond 2^53',
    { ...one, updates: [2 ** 53 - 1, 1].map((weight) => ({ values: one.base, weight })) },
    'exact',
  ],
  ['a broken step', { ...one, etaPpm: 0.5 }, 'millionths'],
  ['a step backwards', { ...one, etaPpm: -1 }, 'millionths'],
]
test.each(mistakes)('%s is our own mistake', (_, merge, claim) => expect(() => mergeTensor(merge)).toThrow(claim))

const singles = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)

test('norms are sums of squares', () => {
  expect(normSquares({ dtype: 'F32', base: singles(3, 4), values: singles(3, 6) })).toEqual({ delta: 4, base: 25 })
})

test.each([
  [{ delta: 4, base: 25 }, 400, 'accept'],
  [{ delta: 4, base: 25 }, 399, 'reject'],
  [{ delta: 0, base: 0 }, 1_000, 'accept'],
  [{ delta: 1e-90, base: 0 }, 1_000, 'reject'],
  [{ delta: 0, base: 25 }, 0, 'accept'],
  [{ delta: 1e-90, base: 25 }, 0, 'reject'],
  [{ delta: Number.NaN, base: 25 }, 1_000, 'reject'],
  [{ delta: 1, base: Number.NaN }, 1_000, 'reject'],
  [{ delta: Number.POSITIVE_INFINITY, base: 25 }, 1_000, 'reject'],
] as const)('squares %o under a ratio of %i thousandths: %s', (squares, ratioMilli, kind) => {
  expect(judgeNorm(squares, ratioMilli).kind).toBe(kind)
})

test('rescaling one matrix up and another down is refused for each of them', () => {
  const base = singles(1, -2, 3)
  for (const factor of [8, 1 / 8]) {
    const values = singles(factor, -2 * factor, 3 * factor)
    expect(judgeNorm(normSquares({ dtype: 'F32', base, values }), 500).kind).toBe('reject')
  }
})
