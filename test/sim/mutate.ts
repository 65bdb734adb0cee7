/**
 * Mutations of valid messages: plain damage to bytes, and CBOR items moved, wrapped and replaced by hostile ones (huge
 * lengths, foreign tags, nests, maps that pose as CIDs). All chance comes from the generator that is given.
 */
import { concat, hexBytes } from '../../src/util/bytes.ts'
import type { Random } from '../protocol/world.ts'

export const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)] as T
const hex = (text: string): Uint8Array => hexBytes(text.replaceAll(' ', ''))

/** CBOR items that a decoder may stumble over. */
const HOSTILE: readonly Uint8Array[] = [
  ...['00', '20', 'f4', 'f5', 'f6', 'f7', 'ff', '40', '60', '80', 'a0', '61ff', 'f97e00', 'fa7f800000', 'f818'],
  ...['1800', '1a00000001', '1bffffffffffffffff', '3bffffffffffffffff', '1b0020000000000000', 'fb3ff0000000000000'],
  ...['fb8000000000000000', 'fb7ff8000000000000', 'c249010000000000000000', 'c000', 'd82a00', 'd82a40', 'd82a4100'],
  ...['d82a450001551200', 'd82ad82a4100', '5fff', '5f4100ff', '7fff', '9fff', 'bfff', '9f00ff', 'bf616100ff'],
  ...['9a7fffffff', '9bffffffffffffffff', '5a7fffffff', '5b7fffffffffffffff', '7affffffff', 'baffffffff'],
  // Maps that pose as CIDs to whoever asks `asCID`, and keys that are dangerous as names of properties.
  ...['a2612f01656279746573 01', 'a4612f01656279746573 01 6776657273696f6e01 64636f64651855', 'a1656173434944f6'],
  ...['a1695f5f70726f746f5f5f00', 'a16b636f6e7374727563746f72a0', 'a2616100616101', 'a1f600', 'a10000'],
  ...[`${'81'.repeat(64)}00`, `${'d82a'.repeat(40)}4100`],
].map(hex)
/** Deep enough to run out of stack, and therefore rare. */
const NEST = new Uint8Array(60_000).fill(0x81)

type Item = { readonly start: number; readonly end: number }

/** Where the items of a definite CBOR document begin and end, the document itself first. */
function itemsOf(bytes: Uint8Array): readonly Item[] {
  const items: Item[] = []
  const read = (start: number): number => {
    const [major, minor] = [(bytes[start] ?? 0) >> 5, (bytes[start] ?? 0) & 31]
    const width = minor < 24 ? 0 : 2 ** (minor - 24)
    const given = bytes.subarray(start + 1, start + 1 + width).reduce((sum, byte) => sum * 256 + byte, 0)
    const argument = width === 0 ? minor : given
    const place = items.push({ start, end: start }) - 1
    let end = start + 1 + width
    if (major === 2 || major === 3) end += argument
    const inner = major === 4 ? argument : major === 5 ? 2 * argument : major === 6 ? 1 : 0
    for (let i = 0; i < inner && end < bytes.length; i++) end = read(end)
    items[place] = { start, end }
    return end
  }
  read(0)
  return items
}
/** Weak, or the run would measure its own memory. */
const indexed = new WeakMap<Uint8Array, readonly Item[]>()
const itemOf = (sample: Uint8Array, random: Random): Item => {
  const items = indexed.get(sample) ?? itemsOf(sample)
  indexed.set(sample, items)
  return pick(random, items)
}

export const replaced = (bytes: Uint8Array, { start, end }: Item, by: Uint8Array): Uint8Array =>
  concat(bytes.subarray(0, start), by, bytes.subarray(end))
const cutOut = (bytes: Uint8Array, random: Random): Item => {
  const start = random.below(bytes.length + 1)
  return { start, end: Math.min(bytes.length, start + random.below(24)) }
}
const randomBytes = (random: Random, lengthMax: number): Uint8Array =>
  Uint8Array.from({ length: random.below(lengthMax) }, () => random.below(256))

type Mutation = (sample: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array
const MUTATIONS: readonly Mutation[] = [
  (sample, random) => {
    const bytes = Uint8Array.from(sample)
    for (let flips = 1 + random.below(4); flips > 0 && bytes.length > 0; flips--) {
      const at = random.below(bytes.length)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
    }
    return bytes
  },
  (sample, random) => sample.subarray(0, random.below(sample.length + 1)),
  (sample, random) => replaced(sample, cutOut(sample, random), randomBytes(random, 16)),
  (sample, random, others) => {
    const other = pick(random, others)
    return concat(sample.subarray(0, random.below(sample.length)), other.subarray(random.below(other.length)))
  },
  (sample, random) => {
    const part = cutOut(sample, random)
    return replaced(sample, { start: part.end, end: part.end }, sample.subarray(part.start, part.end))
  },
  (sample, random) => replaced(sample, itemOf(sample, random), pick(random, HOSTILE)),
  (sample, random) => replaced(sample, itemOf(sample, random), new Uint8Array(0)),
  (sample, random) => {
    const [from, to] = [itemOf(sample, random), itemOf(sample, random)]
    return replaced(sample, to, sample.subarray(from.start, from.end))
  },
  (sample, random) => {
    const { start, end } = itemOf(sample, random)
    const head = pick(random, [Uint8Array.of(0x81), hex('d82a'), hex('c1'), hex('8181'), hex('a16178')])
    return replaced(sample, { start, end }, concat(head, sample.subarray(start, end)))
  },
  (_, random) => randomBytes(random, 80),
  (_, random, others) => pick(random, others),
]

export function mutate(sample: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  if (random.below(50_000) === 0) return NEST
  let bytes = pick(random, MUTATIONS)(sample, random, others)
  // A second change of the plain kind, for what two faults together may do.
  if (random.below(4) === 0) bytes = (MUTATIONS[random.below(3)] as Mutation)(bytes, random, others)
  return bytes
}
