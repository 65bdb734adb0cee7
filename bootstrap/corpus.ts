/**
 * Text of several domains that this project makes itself: as much as anybody wants, the same from the same seed, and fresh
 * from a fresh one. The genesis model is trained on it, and a laptop's network trains and judges with it.
 *
 * Each domain has words and forms of its own, so that a byte-level model of a million parameters can learn it, and is not
 * done with it after a minute.
 */

export const DOMAINS = ['english', 'python', 'json', 'sums'] as const
export type Domain = (typeof DOMAINS)[number]

/** Numbers in 0..1 from a seed: the same everywhere (mulberry32). */
export type Chance = () => number
export function createChance(seed: number): Chance {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Documents one after the other, of `bytes` bytes; everything is ASCII. */
export function makeText(domain: Domain, chance: Chance, bytes: number): string {
  const parts: string[] = []
  for (let length = 0; length < bytes; ) {
    const part = DOCUMENTS[domain](chance)
    parts.push(part)
    length += part.length
  }
  return parts.join('').slice(0, bytes)
}

const DOCUMENTS: { readonly [D in Domain]: (chance: Chance) => string } = {
  english: (chance) => `${many(chance, 3, 6, sentence).join(' ')}\n\n`,
  python: (chance) => `${pythonFunction(chance)}\n\n`,
  json: (chance) => `${JSON.stringify(record(chance))}\n`,
  sums: (chance) => `${many(chance, 4, 9, sum).join('\n')}\n\n`,
}

const pick = <T>(chance: Chance, items: readonly T[]): T => items[Math.floor(chance() * items.length)] as T
const between = (chance: Chance, min: number, max: number): number => min + Math.floor(chance() * (max - min + 1))
const many = <T>(chance: Chance, min: number, max: number, make: (chance: Chance) => T): readonly T[] =>
  Array.from({ length: between(chance, min, max) }, () => make(chance))
const words = (text: string): readonly string[] => text.split(' ')

const NOUNS = words(
  'wheel hub spoke river harbour sailor miller baker village winter letter lantern garden orchard bridge mountain ' +
    'teacher captain stranger merchant kitchen window market forest valley engine clock tower island shepherd blacksmith',
)
const ADJECTIVES = words(
  'old quiet bright broken heavy small distant patient hungry golden narrow cold honest careful slow',
)
const VERBS = words(
  'carried watched mended followed remembered painted crossed found lifted sold answered counted opened',
)
const PLACES = words('river harbour market bridge hill gate road mill shore station square field')
const TIMES = words('morning evening night noon spring autumn winter')
const NAMES = words('Anna Boris Clara David Elena Felix Greta Henry Irene Jonas Karla Louis')

const phrase = (chance: Chance): string =>
  chance() < 0.6 ? `the ${pick(chance, ADJECTIVES)} ${pick(chance, NOUNS)}` : `the ${pick(chance, NOUNS)}`

const SENTENCES: readonly ((chance: Chance) => string)[] = [
  (c) => `${phrase(c)} ${pick(c, VERBS)} ${phrase(c)} near the ${pick(c, PLACES)}.`,
  (c) => `in the ${pick(c, TIMES)}, ${pick(c, NAMES)} ${pick(c, VERBS)} ${phrase(c)}.`,
  (c) => `${pick(c, NAMES)} said that ${phrase(c)} was ${pick(c, ADJECTIVES)} and ${pick(c, ADJECTIVES)}.`,
  (c) => `when ${phrase(c)} ${pick(c, VERBS)} ${phrase(c)}, nobody at the ${pick(c, PLACES)} was surprised.`,
  (c) => `"where is ${phrase(c)}?" asked ${pick(c, NAMES)}, and ${pick(c, NAMES)} pointed to the ${pick(c, PLACES)}.`,
]
function sentence(chance: Chance): string {
  const text = pick(chance, SENTENCES)(chance)
  return text.replace(/[a-z]/i, (letter) => letter.toUpperCase())
}

const VARIABLES = words('count total index value items result offset length weight score limit buffer rows')
const FUNCTIONS = words('load merge score split update filter parse reduce collect rotate')
const OBJECTS = words('batch model expert token layer group state record window cycle')

const STATEMENTS: readonly ((chance: Chance, name: string) => readonly string[])[] = [
  (c, name) => [`${name} = ${between(c, 0, 99)}`],
  (c, name) => [`for ${name} in range(${between(c, 2, 64)}):`, `    total += ${name} * ${between(c, 2, 9)}`],
  (c, name) => [`if ${name} > ${between(c, 0, 99)}:`, `    return ${name} - ${between(c, 1, 9)}`],
  (c, name) => [`${name} = [x for x in ${pick(c, VARIABLES)} if x is not None]`],
  (c, name) => [`${name} = max(${name}, len(${pick(c, VARIABLES)}))`],
  (c, name) => [`while ${name} < ${between(c, 10, 99)}:`, `    ${name} += ${between(c, 1, 9)}`],
  (c, name) => [`assert ${name} >= 0, "${name} is negative"`, `${pick(c, VARIABLES)}.append(${name})`],
]
function pythonFunction(chance: Chance): string {
  const [name, argument] = [`${pick(chance, FUNCTIONS)}_${pick(chance, OBJECTS)}`, pick(chance, VARIABLES)]
  const lines = many(chance, 2, 5, () => pick(chance, STATEMENTS)(chance, pick(chance, VARIABLES))).flat()
  return [
    `def ${name}(${argument}, total=0):`,
    ...lines.map((line) => `    ${line}`),
    `    return ${pick(chance, ['total', argument, 'result', 'None'])}`,
  ].join('\n')
}

const record = (chance: Chance): unknown => ({
  id: between(chance, 1000, 9999),
  name: pick(chance, NAMES),
  place: { kind: pick(chance, PLACES), level: between(chance, 0, 9) },
  tags: many(chance, 1, 3, () => pick(chance, ADJECTIVES)),
  open: chance() < 0.5,
})

function sum(chance: Chance): string {
  const [a, b] = [between(chance, 0, 99), between(chance, 0, 99)]
  const kind = chance()
  if (kind < 0.4) return `${a} + ${b} = ${a + b}`
  if (kind < 0.8) return `${Math.max(a, b)} - ${Math.min(a, b)} = ${Math.abs(a - b)}`
  return `${a % 10} * ${b % 10} = ${(a % 10) * (b % 10)}`
}
