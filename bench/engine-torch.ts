/** PyTorch as a rival: a process that is idle while we run. Strong is the same with MKL's check for Intel answered with yes. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export type Rival = {
  readonly name: string
  /** Resolves when the answer is there. */
  readonly ask: (what: 'forward' | 'train') => Promise<void>
  readonly stop: () => void
}

const PYTHON = process.env['WHEELWRIGHT_PYTHON'] ?? 'python3'

export async function startTorch(directory: string, tokens: string, threads: number): Promise<readonly Rival[]> {
  const probe = spawnSync(PYTHON, ['-c', 'import torch, safetensors'])
  if (probe.status !== 0) {
    console.error(`no columns of PyTorch: ${PYTHON} has none; WHEELWRIGHT_PYTHON names one that has`)
    return []
  }
  const shim = intelShim()
  if (shim === null) console.error('no strong column: there is no C compiler for the shim of two lines')
  const rivals = [await start('stock', {}, directory, tokens, threads)]
  if (shim !== null) rivals.push(await start('strong', { LD_PRELOAD: shim }, directory, tokens, threads))
  return rivals
}

/** MKL takes its slower paths on processors of others than Intel; this says that ours is one. */
function intelShim(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'wheelwright-shim-'))
  const [source, library] = [join(folder, 'shim.c'), join(folder, 'shim.so')]
  writeFileSync(source, 'int mkl_serv_intel_cpu_true(void) { return 1; }\n')
  return spawnSync('cc', ['-shared', '-fPIC', '-o', library, source]).status === 0 ? library : null
}

async function start(
  name: string,
  env: Readonly<Record<string, string>>,
  directory: string,
  tokens: string,
  threads: number,
): Promise<Rival> {
  const script = join(import.meta.dirname, 'engine-torch.py')
  const child: ChildProcess = spawn(PYTHON, [script, directory, tokens, `${threads}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, OMP_WAIT_POLICY: 'passive', ...env },
  })
  const lines = createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> })[Symbol.asyncIterator]()
  await lines.next()
  return {
    name,
    ask: async (what) => {
      child.stdin?.write(`${what}\n`)
      await lines.next()
    },
    stop: () => void child.kill(),
  }
}
