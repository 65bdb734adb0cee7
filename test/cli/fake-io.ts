import type { Io } from '../../src/cli/io.ts'

/** Collects what a command prints. A terminal when told so, because colour depends on it. */
export function createFakeIo({ isTTY = false, env = {} }: { isTTY?: boolean; env?: Io['env'] } = {}) {
  const texts = { out: '', err: '' }
  const stop = new AbortController()
  const io: Io = {
    stdout: { write: (text) => (texts.out += text), isTTY },
    stderr: { write: (text) => (texts.err += text), isTTY },
    env,
    signal: stop.signal,
  }
  return { io, texts, stop }
}
