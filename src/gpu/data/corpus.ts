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

/**
 * How much of its words and forms a speaker knows. The genesis model has heard half of them, so that there is something left
 * to learn for those who train on.
 */
export type Share = 'half' | 'all'
export type Speaker = { readonly chance: Chance; readonly share: Share }

/** Documents one after the other, of `bytes` bytes; everything is ASCII. */
export function makeText(domain: Domain, speaker: Speaker, bytes: number): string {
  const parts: string[] = []
  for (let length = 0; length < bytes; ) {
    const part = DOCUMENTS[domain](speaker)
    parts.push(part)
    length += part.length
  }
  return parts.join('').slice(0, bytes)
}

const DOCUMENTS: { readonly [D in Domain]: (speaker: Speaker) => string } = {
  english: (speaker) => `${many(speaker, 3, 6, sentence).join(' ')}\n\n`,
  python: (speaker) => `${pythonFunction(speaker)}\n\n`,
  json: (speaker) => `${JSON.stringify(record(speaker))}\n`,
  sums: (speaker) => `${many(speaker, 4, 9, sum).join('\n')}\n\n`,
}

const pick = <T>({ chance, share }: Speaker, items: readonly T[]): T =>
  items[Math.floor(chance() * (share === 'all' ? items.length : Math.ceil(items.length / 2)))] as T
/** Who knows half knows the smaller numbers. */
const between = ({ chance, share }: Speaker, min: number, max: number): number =>
  min + Math.floor(chance() * (share === 'all' ? max - min + 1 : Math.ceil((max - min + 1) / 2)))
const many = <T>(speaker: Speaker, min: number, max: number, make: (speaker: Speaker) => T): readonly T[] =>
  Array.from({ length: between(speaker, min, max) }, () => make(speaker))
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

const phrase = (speaker: Speaker): string =>
  speaker.chance() < 0.6 ? `the ${pick(speaker, ADJECTIVES)} ${pick(speaker, NOUNS)}` : `the ${pick(speaker, NOUNS)}`

const SENTENCES: readonly ((speaker: Speaker) => string)[] = [
  (c) => `${phrase(c)} ${pick(c, VERBS)} ${phrase(c)} near the ${pick(c, PLACES)}.`,
  (c) => `in the ${pick(c, TIMES)}, ${pick(c, NAMES)} ${pick(c, VERBS)} ${phrase(c)}.`,
  (c) => `${pick(c, NAMES)} said that ${phrase(c)} was ${pick(c, ADJECTIVES)} and ${pick(c, ADJECTIVES)}.`,
  (c) => `when ${phrase(c)} ${pick(c, VERBS)} ${phrase(c)}, nobody at the ${pick(c, PLACES)} was surprised.`,
  (c) => `"where is ${phrase(c)}?" asked ${pick(c, NAMES)}, and ${pick(c, NAMES)} pointed to the ${pick(c, PLACES)}.`,
]
function sentence(speaker: Speaker): string {
  const text = pick(speaker, SENTENCES)(speaker)
  return text.replace(/[a-z]/i, (letter) => letter.toUpperCase())
}

const VARIABLES = words('count total index value items result offset length weight score limit buffer rows')
const FUNCTIONS = words('load merge score split update filter parse reduce collect rotate')
const OBJECTS = words('batch model expert token layer group state record window cycle')

const STATEMENTS: readonly ((speaker: Speaker, name: string) => readonly string[])[] = [
  (c, name) => [`${name} = ${between(c, 0, 99)}`],
  (c, name) => [`for ${name} in range(${between(c, 2, 64)}):`, `    total += ${name} * ${between(c, 2, 9)}`],
  (c, name) => [`if ${name} > ${between(c, 0, 99)}:`, `    return ${name} - ${between(c, 1, 9)}`],
  (c, name) => [`${name} = [x for x in ${pick(c, VARIABLES)} if x is not None]`],
  (c, name) => [`${name} = max(${name}, len(${pick(c, VARIABLES)}))`],
  (c, name) => [`while ${name} < ${between(c, 10, 99)}:`, `    ${name} += ${between(c, 1, 9)}`],
  (c, name) => [`assert ${name} >= 0, "${name} is negative"`, `${pick(c, VARIABLES)}.append(${name})`],
]
function pythonFunction(speaker: Speaker): string {
  const [name, argument] = [`${pick(speaker, FUNCTIONS)}_${pick(speaker, OBJECTS)}`, pick(speaker, VARIABLES)]
  const lines = many(speaker, 2, 5, () => pick(speaker, STATEMENTS)(speaker, pick(speaker, VARIABLES))).flat()
  return [
    `def ${name}(${argument}, total=0):`,
    ...lines.map((line) => `    ${line}`),
    `    return ${pick(speaker, ['total', argument, 'result', 'None'])}`,
  ].join('\n')
}

const record = (speaker: Speaker): unknown => ({
  id: between(speaker, 1000, 9999),
  name: pick(speaker, NAMES),
  place: { kind: pick(speaker, PLACES), level: between(speaker, 0, 9) },
  tags: many(speaker, 1, 3, () => pick(speaker, ADJECTIVES)),
  open: speaker.chance() < 0.5,
})

function sum(speaker: Speaker): string {
  const [a, b] = [between(speaker, 0, 99), between(speaker, 0, 99)]
  const kind = speaker.chance()
  if (kind < 0.4) return `${a} + ${b} = ${a + b}`
  if (kind < 0.8) return `${Math.max(a, b)} - ${Math.min(a, b)} = ${Math.abs(a - b)}`
  return `${a % 10} * ${b % 10} = ${(a % 10) * (b % 10)}`
}
