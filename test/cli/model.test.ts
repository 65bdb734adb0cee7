import { expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { countText } from '../../src/cli/model-run.ts'
import { EXIT } from '../../src/errors.ts'
import { createFakeIo } from './fake-io.ts'

/** What `test/e2e/model.e2e.test.ts` cannot reach: lines that are refused before anything is done. */
const bad: [line: string, what: string][] = [
  ['inspect', 'DIR is missing'],
  ['inspect a b', "'b' is one word too many"],
  ['merge a', 'DELTA[:WEIGHT] is missing'],
  ['merge a b', '--out is missing'],
  ['merge a b:0 --out c', 'the weight of b:0'],
  ['merge a b:99999999999999999999 --out c', 'the weight of b:99999999999999999999'],
  ['merge a b --eta 11 --out c', '--eta 11'],
  ['merge a b --eta 0.0000001 --out c', '--eta 0.0000001'],
  ['merge a b --eta half --out c', '--eta half'],
  [`merge a ${'b '.repeat(257)}--out c`, '257 deltas'],
  ['export a --out b', '--delta is missing'],
  ['export a --delta b', '--out is missing'],
  ['new --out a', '--config or --preset'],
  ['new --config a --preset byte --out b', '--config or --preset'],
  ['new --preset byte', '--out is missing'],
  ['train a --group english --tokens t --out b', '--group english'],
  ['select a', 'NAME=PATH,… is missing'],
  ['select a books/', "'books/' is no domain"],
  ['select a English=books/', "'English' names no domain"],
  ['select a =books/', "'' names no domain"],
  ['select a router=books/', "'router' names no domain"],
  ['select a hub=books/', "'hub' names no domain"],
  ['select a b=c b=d', 'the domain b is there twice'],
]
test.each(bad)('wheelwright model %s is refused', async (line, what) => {
  const { io, texts } = createFakeIo()
  expect(await main(['model', ...line.trim().split(/ +/), '--json'], io)).toBe(EXIT.usage)
  expect(JSON.parse(texts.out).error).toMatchObject({ code: 'USAGE', what })
})

test('words that may be many are shown so', async () => {
  const { io, texts } = createFakeIo()
  await main(['model', 'merge', '--help'], io)
  expect(texts.out).toContain('usage: wheelwright model merge DIR DELTA[:WEIGHT]… [flags]')
})

test.each([
  [0, '0'],
  [999, '999'],
  [1_000, '1.00 K'],
  [1_019_952, '1.02 M'],
  [6_919_161_856, '6.92 B'],
  [1e12, '1.00e+3 B'],
])('%d parameters are %s', (count, text) => expect(countText(count)).toBe(text))
