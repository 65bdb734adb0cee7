/** Opt-in: the engine against `transformers` on models that are made anew. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { expectReference } from '../gpu/model/expect-reference.ts'
import { isThere, PYTHON } from './python.ts'

describe.skipIf(!isThere)('the engine computes what transformers computes', () => {
  const out = mkdtempSync(join(tmpdir(), 'wheelwright-reference-'))
  afterAll(() => rmSync(out, { recursive: true }))
  const made = isThere ? spawnSync(PYTHON, [join(import.meta.dirname, 'reference.py'), out]) : null

  test('the reference is made', () => {
    expect(made?.status, made?.stderr.toString()).toBe(0)
  })
  test.each(readdirSync(out))('%s', (name) => expectReference(join(out, name)))
})
