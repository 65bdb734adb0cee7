/** Python with torch and transformers: WHEELWRIGHT_PYTHON names it, else it is `python3`. Says so where there is none. */
import { spawnSync } from 'node:child_process'

export const PYTHON = process.env['WHEELWRIGHT_PYTHON'] ?? 'python3'

const probe = spawnSync(PYTHON, [
  '-c',
  'import torch, transformers; print(torch.__version__, transformers.__version__)',
])
export const isThere = probe.status === 0
console.log(
  isThere
    ? `against torch and transformers ${probe.stdout.toString().trim()}`
    : `skipped: ${PYTHON} has no torch and transformers; install them, or name a Python that has with WHEELWRIGHT_PYTHON`,
)
