/**
 * Opt-in: the engine against `transformers` on models that are made anew. Needs Python with torch and transformers;
 * WHEELWRIGHT_PYTHON names it, else it is `python3`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { expectReference } from '../gpu/model/expect-reference.ts'

const python = process.env['WHEELWRIGHT_PYTHON'] ?? 'python3'
const probe = spawnSync(python, [
  '-c',
  'import torch, transformers; print(torch.__version__, transformers.__version__)',
])
const isThere = probe.status === 0
console.log(
  isThere
    ? `against torch and transformers ${probe.stdout.toString().trim()}`
    : `skipped: ${python} has no torch and transformers; install them, or name a Python that has with WHEELWRIGHT_PYTHON`,
)

describe.skipIf(!isThere)('the engine computes what transformers computes', () => {
  const out = mkdtempSync(join(tmpdir(), 'wheelwright-reference-'))
  afterAll(() => rmSync(out, { recursive: true }))
  const made = isThere ? spawnSync(python, [join(import.meta.dirname, 'reference.py'), out]) : null

  test('the reference is made', () => {
    expect(made?.status, made?.stderr.toString()).toBe(0)
  })
  test.each(readdirSync(out))('%s', (name) => expectReference(join(out, name)))
})
