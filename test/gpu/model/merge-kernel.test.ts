import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMergeKernel } from '../../../src/gpu/model/merge-kernel.ts'
import { allFinite, type Merge, mergeTensor } from '../../../src/protocol/merge-tensor.ts'
import { DTYPES, type TrainableDtype } from '../../../src/protocol/tensor.ts'
import { hexBytes, toHex } from '../../../src/util/bytes.ts'
import golden from '../../fixtures/protocol/merge.json' with { type: 'json' }
import { numbersOf } from '../graph/op-case.ts'

const kernel = createMergeKernel()

/** What the law says; nothing where a number is none. */
function lawful(merge: Merge): string | null {
  const inputs = [merge.base, ...merge.updates.map(({ values }) => values)]
  if (!inputs.every((bytes) => allFinite(merge.dtype, bytes))) return null
  const merged = mergeTensor(merge)
  return allFinite(merge.dtype, merged) ? toHex(merged) : null
}
function made(merge: Merge): string | null {
  const merged = kernel(merge)
  return merged === null ? null : toHex(merged)
}

describe('the kernel computes what the law says, to the bit', () => {
  test.each(golden.merges.map((vector) => [`${vector.dtype}: ${vector.why}`, vector] as const))('%s', (_, vector) => {
    const merge: Merge = {
      dtype: vector.dtype as TrainableDtype,
      etaPpm: vector.etaPpm,
      base: hexBytes(vector.base),
      updates: vector.updates.map(({ values, weight }) => ({ values: hexBytes(values), weight })),
    }
    expect(lawful(merge) ?? vector.merged).toBe(vector.merged)
    expect(made(merge)).toBe(lawful(merge))
  })

  test('for any bits, of numbers or not', () => {
    const merges = fc.constantFrom<TrainableDtype>('BF16', 'F16', 'F32').chain((dtype) =>
      fc.integer({ min: 1, max: 19 }).chain((length) => {
        const size = length * DTYPES[dtype].bytes
        const values = fc.uint8Array({ minLength: size, maxLength: size })
        return fc.record({
          dtype: fc.constant(dtype),
          base: values,
          updates: fc.array(fc.record({ values, weight: fc.integer({ min: 1, max: 0xffff_ffff }) }), {
            minLength: 1,
            maxLength: 6,
          }),
          etaPpm: fc.integer({ min: 0, max: 10_000_000 }),
        })
      }),
    )
    fc.assert(
      fc.property(merges, (merge) => {
        expect(made(merge)).toBe(lawful(merge))
      }),
      { numRuns: 2_000 },
    )
  })

  test.each(['BF16', 'F16'] as const)('every pattern of %s goes in and out', (dtype) => {
    const every = new Uint8Array(Uint16Array.from({ length: 0x1_0000 }, (_, bits) => bits).buffer)
    const finite = every.filter((_, i) => allFinite(dtype, every.subarray(i & ~1, (i & ~1) + 2)))
    const other = finite.slice().reverse()
    for (const values of [finite, swapped(other)]) {
      for (const etaPpm of [0, 333_333, 1_000_000]) {
        const merge = { dtype, base: finite, updates: [{ values, weight: 1 }], etaPpm }
        expect(made(merge)).toBe(lawful(merge))
      }
    }
  })

  test.each(['BF16', 'F16', 'F32'] as const)('blocks of %s, and what is left of the last', (dtype) => {
    const next = numbersOf(3)
    const count = 3 * 8192 + 5
    const draw = (): Uint8Array => {
      const bytes = new Uint8Array(count * DTYPES[dtype].bytes)
      // The top byte is an exponent in the middle.
      for (let i = 0; i < bytes.length; i++) bytes[i] = next() * 128 + 128
      for (let i = DTYPES[dtype].bytes - 1; i < bytes.length; i += DTYPES[dtype].bytes) bytes[i] = 0x3c ^ (i & 0x80)
      return bytes
    }
    const merge = {
      dtype,
      base: draw(),
      updates: [1, 2, 3, 4, 5].map((weight) => ({ values: draw(), weight })),
      etaPpm: 1e6,
    }
    expect(made(merge)).toBe(lawful(merge))
    expect(made(merge)).not.toBeNull()
  })

  const LARGEST = {
    F32: Uint32Array.of(0x7f7f_ffff, 0xff7f_ffff),
    BF16: Uint16Array.of(0x7f7f, 0xff7f),
    F16: Uint16Array.of(0x7bff, 0xfbff),
  }
  test.each(['BF16', 'F16', 'F32'] as const)('an overflow of one %s tensor is not seen in the next', (dtype) => {
    const pair = new Uint8Array(LARGEST[dtype].buffer)
    const repeated = (bytes: Uint8Array): Uint8Array =>
      Uint8Array.from({ length: 20 }, (_, i) => bytes[i % bytes.length] as number)
    const width = pair.length / 2
    const [positive, negative] = [repeated(pair.subarray(0, width)), repeated(pair.subarray(width))]
    const updates = [{ values: negative, weight: 1 }]
    expect(kernel({ dtype, base: positive, updates, etaPpm: 10_000_000 })).toBeNull()
    const zero = new Uint8Array(width)
    const merge = { dtype, base: zero, updates: [{ values: zero, weight: 1 }], etaPpm: 1_000_000 }
    expect(made(merge)).toBe(toHex(zero))
  })
})

/** Elements of two bytes that were reversed byte by byte. */
const swapped = (bytes: Uint8Array): Uint8Array => bytes.map((_, i) => bytes[i ^ 1] as number)
