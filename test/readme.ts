/**
 * The parts of README.md that are facts: what `npm start -- --cycles 2 --seed 1` prints, and how long the files are.
 *
 * The test compares; `node test/readme.ts` writes them anew. Line counts are rounded to tens, so that they mislead nobody
 * and move seldom.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { main } from '../src/cli/main.ts'

const ROOT = join(import.meta.dirname, '..')
const README = join(ROOT, 'README.md')

export const readReadme = (): string => readFileSync(README, 'utf8')

async function printed(): Promise<string> {
  let out = ''
  const io = {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: () => undefined },
    env: {},
    signal: new AbortController().signal,
  }
  await main(['up', '--cycles', '2', '--seed', '1'], io)
  return out
}

const linesOf = (file: string): number => {
  const lines = readFileSync(join(ROOT, file), 'utf8').split('\n').length - 1
  return Math.max(10, 10 * Math.round(lines / 10))
}

const between = (text: string, name: string, replace: (inner: string) => string): string =>
  text.replace(
    new RegExp(`(<!-- ${name}:start -->\n)([\\s\\S]*?)(<!-- ${name}:end -->)`),
    (_, start: string, inner: string, end: string) => start + replace(inner) + end,
  )

/** README.md as it should be. */
export async function renderReadme(): Promise<string> {
  const output = await printed()
  const text = between(readReadme(), 'output', () => `\`\`\`\n${output.trimEnd()}\n\`\`\`\n`)
  return between(text, 'reading', (rows) =>
    rows.replace(/^\| `([^`]+)` \| \d+ \|/gm, (_, file: string) => `| \`${file}\` | ${linesOf(file)} |`),
  )
}

if (process.argv[1] === import.meta.filename) writeFileSync(README, await renderReadme())
