import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { expectReference } from './expect-reference.ts'

/** Made by `test/parity/reference.py`; `npm run parity` makes all of its cases anew. */
const MODELS = join(import.meta.dirname, '..', '..', 'fixtures', 'models')

test.each(readdirSync(MODELS))('%s trains and predicts as transformers does', (name) =>
  expectReference(join(MODELS, name)),
)
