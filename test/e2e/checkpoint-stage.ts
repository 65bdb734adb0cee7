/** The checkpoint commands as real processes, in a directory of their own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const MIB = 1024 ** 2
const DOOR = fileURLToPath(new URL('../../bin/wheelwright.js', import.meta.url))
const GIVE_UP_MS = 60_000

export type Started = {
  readonly child: ChildProcess
  /** Its exit code. */
  readonly ended: Promise<number | null>
  readonly out: () => string
  readonly err: () => string
}
// biome-ignore lint/suspicious/noExplicitAny: whatever JSON a command prints
type Printed = any
export type Serving = { readonly address: string; readonly stop: () => Promise<number | null> }

export type Stage = {
  readonly root: string
  readonly path: (name: string) => string
  readonly start: (...words: readonly string[]) => Started
  readonly run: (...words: readonly string[]) => Promise<{ readonly exit: number | null; readonly last: Printed }>
  /** `words` besides the address, which is one of this machine. */
  readonly serve: (...words: readonly string[]) => Promise<Serving>
  /** Not twice the same MiB, or fewer bytes would move than the file has. */
  readonly makeFile: (name: string, bytes: number) => string
  readonly kill: () => void
  readonly end: () => void
}

export function createStage(env: Readonly<Record<string, string>> = {}): Stage {
  const root = mkdtempSync(join(tmpdir(), 'checkpoint-e2e-'))
  const children: ChildProcess[] = []
  const path = (name: string): string => join(root, name)
  const kill = (): void => {
    for (const child of children) child.kill('SIGKILL')
  }
  const start = (...words: readonly string[]): Started => {
    const child = spawn(process.execPath, [DOOR, 'checkpoint', ...words, '--json'], {
      cwd: root,
      env: { ...process.env, ...env },
    })
    children.push(child)
    let [out, err] = ['', '']
    child.stdout.on('data', (text) => {
      out += text
    })
    child.stderr.on('data', (text) => {
      err += text
    })
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    return { child, ended, out: () => out, err: () => err }
  }
  return {
    root,
    path,
    start,
    run: async (...words) => {
      const { ended, out } = start(...words)
      const exit = await ended
      return { exit, last: JSON.parse(out().trim().split('\n').at(-1) ?? '') }
    },
    serve: async (...words) => {
      const { child, ended, out } = start('serve', '--listen', '/ip4/127.0.0.1/tcp/0', ...words)
      await until(() => out().includes('\n'))
      return {
        address: addressIn(out()),
        stop: () => {
          child.kill('SIGTERM')
          return ended
        },
      }
    },
    makeFile: (name, bytes) => {
      writeFileSync(path(name), randomBytes(bytes))
      return path(name)
    },
    kill,
    end: () => {
      kill()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** Where the first line says that a peer listens. */
export function addressIn(out: string): string {
  const { peerId, addrs } = JSON.parse(out.split('\n')[0] ?? '')
  const [address] = addrs
  if (!String(address).endsWith(`/p2p/${peerId}`)) throw new Error(`${address} does not name ${peerId}`)
  return address
}

export async function until(isTrue: () => boolean): Promise<void> {
  const startMs = performance.now()
  while (!isTrue()) {
    if (performance.now() - startMs > GIVE_UP_MS) throw new Error('it did not happen')
    await sleep(5)
  }
}

export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(file)) hash.update(part as Uint8Array)
  return hash.digest('hex')
}
