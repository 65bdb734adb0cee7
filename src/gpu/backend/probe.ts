/**
 * Asks whether a device works, in a process of its own: some drivers throw, some never come back, and some take the process
 * with them.
 */
import { fork } from 'node:child_process'
import type { Device } from './device.ts'
import type { Agreement } from './self-check.ts'

type Works = {
  readonly works: true
  readonly agreement: Agreement
  /** For the same work on every device: the least is the fastest. */
  readonly ms: number
}
type Fails = { readonly works: false; readonly why: string; readonly remedy: string }

export type Probe = { readonly device: Device } & (Works | Fails)
/** What the child says: without a remedy where it knows none better. */
export type ProbeAnswer = Works | (Omit<Fails, 'remedy'> & { readonly remedy: string | null })

/** As sources or as published. */
const MAIN = new URL(import.meta.url.endsWith('.ts') ? './probe-main.ts' : './probe-main.js', import.meta.url)
/** Drivers compile for seconds; one that needs a minute is none to work with. */
const PROBE_MS = 60_000
const TEXT_CHARS_MAX = 64 * 1024

export const REMEDIES: { readonly [D in Device]: string } = {
  cpu: 'Install the dependencies again: the library of onnxruntime-node for this system is missing or broken.',
  webgpu:
    'It needs a GPU with its driver for Vulkan and, on Linux, libvulkan.so.1: on Debian or Ubuntu, `apt install libvulkan1` ' +
    'and `mesa-vulkan-drivers` or the driver of the vendor.',
  cuda:
    'It needs an NVIDIA GPU, CUDA 12 and cuDNN 9 where the loader finds them, and a part of onnxruntime that is fetched with ' +
    '`ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install`.',
}

export function probe(device: Device, { signal }: { readonly signal: AbortSignal }): Promise<Probe> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const child = fork(MAIN, [device], { silent: true, timeout: PROBE_MS, killSignal: 'SIGKILL', signal })
    const texts = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        texts[name] = (texts[name] + text).slice(-TEXT_CHARS_MAX)
      })
    }
    child.once('error', (error) => reject(signal.aborted ? signal.reason : error))
    child.once('close', (code, killedBy) => resolve({ device, ...judged(device, { ...texts, code, killedBy }) }))
  })
}

type Ended = {
  readonly stdout: string
  readonly stderr: string
  readonly code: number | null
  readonly killedBy: string | null
}

/** An answer counts when the process has also ended as it should: whoever computes with the device has to end, too. */
export function judged(device: Device, { stdout, stderr, code, killedBy }: Ended): Works | Fails {
  const remedy = REMEDIES[device]
  const answer = code === 0 ? answerIn(stdout) : null
  if (answer?.works === true) return answer
  if (answer !== null) return { works: false, why: explained(answer.why, stderr), remedy: answer.remedy ?? remedy }
  const lines = stderr.trimEnd().split('\n')
  const last = lines.find((line) => line.includes('Error')) ?? lines.at(-1) ?? ''
  const end =
    killedBy === 'SIGKILL'
      ? `there was no answer within ${PROBE_MS / 1_000} s, or no memory`
      : `the process that tried it ended with ${killedBy ?? code}`
  return { works: false, why: last === '' ? end : `${end}: ${last}`, remedy }
}

function answerIn(stdout: string): ProbeAnswer | null {
  try {
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as ProbeAnswer
  } catch {
    return null
  }
}

/** Without the place in the source of a library; with what is missing, which libraries only write to stderr. */
function explained(why: string, stderr: string): string {
  const told = why.replace(/^(Error: )?(.* was false\. )?/s, '').trim()
  const [missing] = /[\w.+-]+: cannot open shared object file|Found no drivers/.exec(stderr) ?? []
  return missing === undefined ? told : `${told} (${missing})`
}
