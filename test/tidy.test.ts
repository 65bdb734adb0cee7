/** The rules of the house that a machine can check. A rule that is not here is advice. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { posix } from 'node:path/posix'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const LINES_MAX = 400
const FUNCTION_LINES_MAX = 70

/** Arrows point inwards. The table is total: a new folder needs a row before it can have a file. */
const MAY_IMPORT: Record<string, RegExp> = {
  util: /^util$/,
  'errors.ts': /^$/,
  protocol: /^(protocol|util|npm:(multiformats|@ipld\/dag-cbor|@noble\/[^/]+|@scure\/sr25519)(\/.*)?)$/,
  'event.ts': /^protocol$/,
  'ports.ts': /^(protocol|event\.ts)$/,
  library: /^(library|protocol|ports\.ts|errors\.ts|util)$/,
  actors: /^(actors|library|protocol|event\.ts|ports\.ts|util|errors\.ts|npm:xstate)$/,
  p2p: /^(p2p|protocol|event\.ts|ports\.ts|util|errors\.ts|npm:.*|node:.*)$/,
  gpu: /^(gpu|library|protocol|event\.ts|ports\.ts|util|errors\.ts|npm:.*|node:.*)$/,
  chain: /^(chain|protocol|event\.ts|ports\.ts|util|errors\.ts|npm:.*|node:.*)$/,
  sim: /^(sim|protocol|event\.ts|ports\.ts|actors|library|util|errors\.ts|npm:(xstate|(multiformats|@noble|@scure|@ipld)(\/.*)?))$/,
  cli: /^(?!test$)/,
  'node.ts': /^(?!test$)/,
  bootstrap: /^(bootstrap|p2p|gpu|protocol|util|errors\.ts|node:.*)$/,
}

/** Time, chance and I/O come in through ports. Whole globals, because `const { now } = Date` is `Date.now` too. */
const IMPURE = new Set(
  'Date setTimeout setInterval setImmediate fetch console process performance crypto globalThis'.split(' '),
)
const INEXACT = new Set('exp log pow sin cos tan log2 log10 cbrt hypot expm1'.split(' '))
const PURE_AREAS = ['protocol', 'actors', 'sim']
const PROCESS_AREAS = ['cli', 'bootstrap']

/** `src/protocol/delta.ts` is in `protocol`, `src/ports.ts` in `ports.ts`, `bootstrap/main.ts` in `bootstrap`. */
const areaOf = (file: string) => (file.startsWith('src/') ? file.slice('src/'.length) : file).split('/')[0] ?? ''

function complaints(file: string, text: string): string[] {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const found = [...complaintsOfText(file, text)]
  const visit = (node: ts.Node): void => {
    const line = tree.getLineAndCharacterOfPosition(node.getStart()).line + 1
    const rules = [importComplaint, nameComplaint, mathComplaint, waitComplaint, formComplaint]
    for (const rule of rules) {
      const complaint = rule(node, areaOf(file), file)
      if (complaint !== null) found.push(`${file}:${line} ${complaint}`)
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

function complaintsOfText(file: string, text: string): string[] {
  const found: string[] = []
  if (MAY_IMPORT[areaOf(file)] === undefined) found.push('is in no row of the import table')
  if (!/^\/\*\*[^/]*\w/.test(text)) found.push('does not start by saying what it is for')
  if (text.split('\n').length - 1 > LINES_MAX) found.push(`is longer than ${LINES_MAX} lines`)
  if (text.includes('FIXME')) found.push('has a FIXME')
  if (!/^[a-z0-9-]+(\.[a-z0-9-]+)*\.ts$/.test(posix.basename(file))) found.push('is not named in kebab-case')
  return found.map((complaint) => `${file} ${complaint}`)
}

type Rule = (node: ts.Node, area: string, file: string) => string | null

const importComplaint: Rule = (node, area, file) => {
  const specifier = specifierOf(node)
  if (specifier === null) return null
  if (!ts.isStringLiteralLike(specifier)) return 'imports what only a run can tell'
  const target = targetOf(file, specifier.text)
  if (target === 'test') return 'imports a test'
  if (!PROCESS_AREAS.includes(area) && /^node:process$/.test(target)) return 'imports process'
  if (MAY_IMPORT[area]?.test(target) === false) return `${area} may not import ${specifier.text}`
  return area === 'ports.ts' && !isTypeOnly(node) ? 'imports a value' : null
}

function specifierOf(node: ts.Node): ts.Node | null {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier ?? null
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : null
  if (!ts.isCallExpression(node)) return null
  const isImport = node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require'
  return isImport ? (node.arguments[0] ?? null) : null
}

function targetOf(file: string, name: string): string {
  if (name.startsWith('.')) return areaOf(posix.join(posix.dirname(file), name))
  return name.startsWith('node:') ? name : `npm:${name}`
}

const isTypeOnly = (node: ts.Node) =>
  ts.isImportTypeNode(node) ||
  (ts.isImportDeclaration(node) && node.importClause?.isTypeOnly === true) ||
  (ts.isExportDeclaration(node) && node.isTypeOnly)

const nameComplaint: Rule = (node, area) => {
  if (!ts.isIdentifier(node) || !isFreeName(node)) return null
  if (PURE_AREAS.includes(area) && IMPURE.has(node.text)) return `${area} may not use ${node.text}`
  if (area === 'protocol' && node.text === 'Promise') return 'protocol may not wait'
  return node.text === 'process' && !PROCESS_AREAS.includes(area) ? 'process belongs to src/cli' : null
}

/** `clock.setTimeout` and `{ process: 1 }` are other people's names; the globals stand alone. */
function isFreeName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isQualifiedName(parent)) return parent.left === node
  const isKey =
    ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isPropertyDeclaration(parent)
  return !(isKey && parent.name === node)
}

const mathComplaint: Rule = (node, area) => {
  if (area === 'protocol' && isInexactPower(node)) return '** of floats is Math.pow'
  if (!ts.isIdentifier(node) || node.text !== 'Math' || !isFreeName(node)) return null
  const method = ts.isPropertyAccessExpression(node.parent) ? node.parent.name.text : null
  if (PURE_AREAS.includes(area) && (method === null || method === 'random')) return `${area} may not use chance`
  return area === 'protocol' && INEXACT.has(method ?? '') ? `Math.${method} differs between machines` : null
}

/** A power of the literal 2 is exact, and so are bigints, which show by a literal on one side or the other. */
function isInexactPower(node: ts.Node): boolean {
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.AsteriskAsteriskToken) return false
  const isBigint = ts.isBigIntLiteral(node.left) || ts.isBigIntLiteral(node.right)
  return !isBigint && !(ts.isNumericLiteral(node.left) && node.left.text === '2')
}

const waitComplaint: Rule = (node, area) => {
  const waits = node.kind === ts.SyntaxKind.AsyncKeyword || node.kind === ts.SyntaxKind.AwaitKeyword
  return area === 'protocol' && (waits || ts.isAwaitExpression(node)) ? 'protocol may not wait' : null
}

const formComplaint: Rule = (node) => {
  if (ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword) {
    return ts.isDefaultClause(node.parent) ? null : 'has a default export'
  }
  if (ts.isEnumDeclaration(node)) return 'has an enum'
  const body = ts.isFunctionLike(node) && 'body' in node ? node.body : undefined
  if (body === undefined || !ts.isBlock(body as ts.Node)) return null
  const lines = node.getText().split('\n').length
  return lines > FUNCTION_LINES_MAX ? `has a function of ${lines} lines` : null
}

const sources = ['src', 'bootstrap'].flatMap((folder) => {
  try {
    const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    return names.filter((name) => name.endsWith('.ts')).map((name) => posix.join(folder, name.replaceAll('\\', '/')))
  } catch {
    return [] // bootstrap/ may not be there
  }
})

describe('the tree is tidy', () => {
  test.each(sources)('%s', (file) => {
    expect(complaints(file, readFileSync(join(ROOT, file), 'utf8'))).toEqual([])
  })
})

describe('each rule bites', () => {
  const long = (lines: number) => 'x()\n'.repeat(lines)
  const cases: [file: string, code: string, complaint: string | null][] = [
    ['src/protocol/a.ts', "import { x } from './b.ts'\nimport { y } from '../util/c.ts'", null],
    ['src/protocol/a.ts', "import { sha256 } from '@noble/hashes/sha2.js'", null],
    ['src/protocol/a.ts', "import { encode } from '@ipld/dag-cbor'", null],
    ['src/protocol/a.ts', "import { x } from 'xstate'", 'protocol may not import xstate'],
    ['src/protocol/a.ts', "import { x } from '@ipld/dag-cbor-evil'", 'protocol may not import'],
    ['src/protocol/a.ts', "import { join } from 'node:path'", 'protocol may not import node:path'],
    ['src/protocol/a.ts', "import { join } from 'path'", 'protocol may not import path'],
    ['src/protocol/a.ts', "import type { E } from '../errors.ts'", 'protocol may not import ../errors.ts'],
    ['src/protocol/a.ts', "export { x } from '../p2p/x.ts'", 'protocol may not import ../p2p/x.ts'],
    ['src/protocol/a.ts', "export * from '../p2p/x.ts'", 'protocol may not import ../p2p/x.ts'],
    ['src/protocol/a.ts', "type X = import('../p2p/x.ts').X", 'protocol may not import ../p2p/x.ts'],
    ['src/protocol/deep/a.ts', "import { x } from '../../actors/x.ts'", 'protocol may not import ../../actors'],
    ['src/ports.ts', "import type { X } from './protocol/x.ts'", null],
    ['src/ports.ts', "import { x } from './protocol/x.ts'", 'imports a value'],
    ['src/ports.ts', "import { type X } from './protocol/x.ts'", 'imports a value'],
    ['src/ports.ts', "import type { X } from './util/x.ts'", 'ports.ts may not import ./util/x.ts'],
    ['src/actors/a.ts', "import { setup } from 'xstate'\nimport { NodeError } from '../errors.ts'", null],
    ['src/actors/a.ts', "import { x } from '../chain/x.ts'", 'actors may not import ../chain/x.ts'],
    ['src/actors/a.ts', "const x = () => import('../gpu/x.ts')", 'actors may not import ../gpu/x.ts'],
    ['src/actors/a.ts', 'const x = (name: string) => import(name)', 'imports what only a run can tell'],
    ['src/p2p/a.ts', "import { x } from 'libp2p'\nimport { y } from 'node:fs'", null],
    ['src/p2p/a.ts', "import { x } from '../chain/x.ts'", 'p2p may not import ../chain/x.ts'],
    ['src/gpu/a.ts', "import { x } from '../actors/x.ts'", 'gpu may not import ../actors/x.ts'],
    ['src/chain/a.ts', "import { x } from '../p2p/x.ts'", 'chain may not import ../p2p/x.ts'],
    ['src/sim/a.ts', "import { x } from '../actors/x.ts'\nimport { y } from 'xstate'", null],
    ['src/sim/a.ts', "import { x } from 'node:fs'", 'sim may not import node:fs'],
    ['src/sim/a.ts', "import { x } from 'libp2p'", 'sim may not import libp2p'],
    ['src/util/a.ts', "import { x } from '../errors.ts'", 'util may not import ../errors.ts'],
    ['src/errors.ts', "import { x } from './util/x.ts'", 'errors.ts may not import ./util/x.ts'],
    ['src/cli/a.ts', "import { x } from '../node.ts'\nimport { y } from 'libp2p'", null],
    ['src/cli/a.ts', "import { x } from '../../test/fakes/x.ts'", 'imports a test'],
    ['src/p2p/a.ts', "import { x } from '../../test/fakes/x.ts'", 'imports a test'],
    ['src/novelty/a.ts', 'x()', 'is in no row of the import table'],
    ['bootstrap/main.ts', "import { x } from '../src/p2p/x.ts'\nprocess.exit(0)", null],
    ['bootstrap/main.ts', "import { x } from '../src/chain/x.ts'", 'bootstrap may not import ../src/chain/x.ts'],
    ['src/protocol/a.ts', 'const at = Date.now()', 'protocol may not use Date'],
    ['src/actors/a.ts', 'const { now } = Date', 'actors may not use Date'],
    ['src/sim/a.ts', 'const at = new Date()', 'sim may not use Date'],
    ['src/actors/a.ts', 'const x = Math.random()', 'actors may not use chance'],
    ['src/actors/a.ts', 'const { random } = Math', 'actors may not use chance'],
    ['src/actors/a.ts', 'setTimeout(x, 1)', 'actors may not use setTimeout'],
    ['src/actors/a.ts', 'clock.setTimeout(x, 1)', null],
    ['src/actors/a.ts', 'type Clock = { setTimeout(f: () => void): void }', null],
    ['src/sim/a.ts', 'setInterval(x, 1)', 'sim may not use setInterval'],
    ['src/protocol/a.ts', "fetch('https://example.org')", 'protocol may not use fetch'],
    ['src/actors/a.ts', "console.log('x')", 'actors may not use console'],
    ['src/actors/a.ts', "globalThis.fetch('x')", 'actors may not use globalThis'],
    ['src/protocol/a.ts', 'async function f() {}', 'protocol may not wait'],
    ['src/protocol/a.ts', 'await x', 'protocol may not wait'],
    ['src/protocol/a.ts', 'type X = Promise<number>', 'protocol may not wait'],
    ['src/protocol/a.ts', '// an async Promise in a comment, and Date.now()', null],
    ['src/protocol/a.ts', "const x = 'await https://example.org'", null],
    ['src/protocol/a.ts', 'const x = Math.exp(1)', 'Math.exp differs between machines'],
    ['src/protocol/a.ts', 'const x = Math.log2(8)', 'Math.log2 differs between machines'],
    ['src/protocol/a.ts', 'const x = y ** 0.5', '** of floats is Math.pow'],
    ['src/protocol/a.ts', 'const x = 2 ** 32 - 1 + Number(10n ** y)', null],
    ['src/protocol/a.ts', 'const x = Math.fround(Math.floor(1.5))', null],
    ['src/gpu/a.ts', 'const x = Math.exp(1)', null],
    ['src/p2p/a.ts', 'const x = process.env', 'process belongs to src/cli'],
    ['src/node.ts', 'process.exit(1)', 'process belongs to src/cli'],
    ['src/util/a.ts', "import process from 'node:process'", 'imports process'],
    ['src/cli/a.ts', 'process.exit(1)', null],
    ['src/cli/a.ts', 'export default 1', 'has a default export'],
    ['src/cli/a.ts', 'export default function f() {}', 'has a default export'],
    ['src/cli/a.ts', 'switch (x) { default: y() }', null],
    ['src/cli/a.ts', 'enum X { A }', 'has an enum'],
    ['src/cli/a.ts', '// FIXME', 'has a FIXME'],
    ['src/cli/camelCase.ts', 'x()', 'is not named in kebab-case'],
    ['src/cli/a.ts', long(390), null],
    ['src/cli/a.ts', long(400), 'is longer than 400 lines'],
    ['src/cli/a.ts', `function f() {\n${long(68)}}`, null],
    ['src/cli/a.ts', `function f() {\n${long(69)}}`, 'has a function of 71 lines'],
    ['src/cli/a.ts', `const f = () => {\n${long(69)}}`, 'has a function of 71 lines'],
  ]
  test.each(cases)('%s: %s', (file, code, complaint) => {
    const found = complaints(file, `/** A sample. */\n${code}`)
    if (complaint === null) expect(found).toEqual([])
    else expect(found.join('\n')).toContain(complaint)
  })

  test('a file without a header', () => {
    expect(complaints('src/cli/a.ts', 'x()')).toEqual(['src/cli/a.ts does not start by saying what it is for'])
  })
})
