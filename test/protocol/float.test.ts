import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bf16ToF32,
  bf16ToF32Bits,
  f16ToF32,
  f16ToF32Bits,
  f32BitsToBf16,
  f32BitsToF16,
  f32ToBf16,
  f32ToF16,
  HALF_VALUES,
} from '../../src/protocol/float.ts'
import golden from '../fixtures/protocol/merge.json' with { type: 'json' }
import { add, decode, encode, FORMATS, type Fraction } from '../fixtures/protocol/slow-float.ts'

const PATTERNS = Uint16Array.from({ length: 65_536 }, (_, i) => i)
const TYPES = {
  BF16: { widenBits: bf16ToF32Bits, narrowBits: f32BitsToBf16, widen: bf16ToF32, narrow: f32ToBf16, infinity: 0x7f80 },
  F16: { widenBits: f16ToF32Bits, narrowBits: f32BitsToF16, widen: f16ToF32, narrow: f32ToF16, infinity: 0x7c00 },
} as const

const littleEndian = (hex: string): number => Number.parseInt((hex.match(/../g) ?? []).reverse().join(''), 16)

describe.each(['BF16', 'F16'] as const)('%s', (dtype) => {
  const { widenBits, narrowBits, widen, narrow, infinity } = TYPES[dtype]
  const quiet = 1 << (FORMATS[dtype].fractionBits - 1)
  const isNan = (half: number) => (half & 0x7fff) > infinity
  const slowly = (f32: number) => Number(encode(FORMATS[dtype], decode(FORMATS.F32, BigInt(f32)) as Fraction))

  test('each of the 65,536 patterns widens as the definition says', () => {
    for (const half of PATTERNS) {
      const value = decode(FORMATS[dtype], BigInt(half))
      if (value !== null) expect(BigInt(widenBits(half))).toBe(encode(FORMATS.F32, value))
    }
  })

  test('each pattern comes back, a signalling NaN as a quiet one', () => {
    const singles = new Float32Array(PATTERNS.length)
    const back = new Uint16Array(PATTERNS.length)
    widen(PATTERNS, singles)
    narrow(singles, back)
    expect(back).toEqual(PATTERNS.map((half) => (isNan(half) ? half | quiet : half)))
  })

  test('infinity and NaN keep sign and kind', () => {
    expect(widenBits(infinity)).toBe(0x7f80_0000)
    expect(widenBits(infinity | 0x8000)).toBe(0xff80_0000)
    expect(narrowBits(0x7f80_0000)).toBe(infinity)
    expect(narrowBits(0xff80_0000)).toBe(infinity | 0x8000)
    expect(narrowBits(0x7f80_0001)).toBe(infinity | quiet)
    expect(narrowBits(0xffff_ffff)).toBe(0xffff)
    expect(widenBits(infinity | 1) & 0x7fc0_0000).toBe(0x7fc0_0000)
  })

  test('the table of values is what widening gives', () => {
    const singles = new Float32Array(PATTERNS.length)
    widen(PATTERNS, singles)
    expect(HALF_VALUES[dtype]).toEqual(Float64Array.from(singles))
    expect(Object.is(HALF_VALUES[dtype][0x8000], -0)).toBe(true)
  })

  test.each(golden.narrowings[dtype])('F32 %s narrows to %s', (f32, half) => {
    expect(narrowBits(littleEndian(f32 as string))).toBe(littleEndian(half as string))
  })

  test('every pattern and every tie between two neighbours narrow as the definition says', () => {
    for (let half = 0; half + 1 < infinity; half += half < 0x0440 ? 1 : 7) {
      const [here, next] = [half, half + 1].map((bits) => decode(FORMATS[dtype], BigInt(bits)) as Fraction) as [
        Fraction,
        Fraction,
      ]
      const { negative, top, bottom } = add(here, next)
      const tie = Number(encode(FORMATS.F32, { negative, top, bottom: 2n * bottom }))
      expect(narrowBits(tie)).toBe(half % 2 === 0 ? half : half + 1)
      for (const f32 of [widenBits(half), widenBits(half) + 1, tie - 1, tie, tie + 1]) {
        const expected = slowly(f32)
        expect(narrowBits(f32)).toBe(expected)
        expect(narrowBits((f32 | 0x8000_0000) >>> 0)).toBe(expected | 0x8000)
      }
    }
  })

  test('any F32 narrows as the definition says, whether its bits are read signed or unsigned', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (f32) => {
        fc.pre((f32 & 0x7f80_0000) !== 0x7f80_0000)
        expect(narrowBits(f32)).toBe(slowly(f32))
        expect(narrowBits(f32 | 0)).toBe(narrowBits(f32))
      }),
      { numRuns: 2_000 },
    )
  })

  test('arrays of different lengths are our own mistake', () => {
    expect(() => widen(new Uint16Array(1), new Float32Array(2))).toThrow('as many targets')
    expect(() => narrow(new Float32Array(1), new Uint16Array(2))).toThrow('as many targets')
  })
})
