/**
 * Keeps `@polkadot/api` quiet: it prints what goes wrong to the console, where the results of a command or of somebody
 * else's program go. Ours is told to whoever asked.
 *
 * Requests are quiet by an option of the library. For what it prints while it connects it has none, and its logger knows
 * the global console only: so that is filtered, but only while somebody connects, and only for lines of the library's.
 */
import jsonrpc from '@polkadot/types/interfaces/jsonrpc'

/** The library's own table of requests, each of them told to print nothing: for `ApiPromise.create({ rpc })`. */
export const QUIET_RPC = Object.fromEntries(
  Object.entries(jsonrpc).map(([section, methods]) => [
    section,
    Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, { ...method, noErrorLog: true }])),
  ]),
)

/** How the library begins what it prints, behind the time. */
const PRINTED = /^ *(API\/INIT|API\/AUGMENT|RPC-CORE|REGISTRY|METADATA|PORTABLEREGISTRY): *$/
const LEVELS = ['log', 'warn', 'error'] as const

let connecting = 0
let restore: () => void = () => undefined

export async function quietly<T>(connect: () => Promise<T>): Promise<T> {
  if (connecting === 0) restore = filterConsole()
  connecting += 1
  try {
    return await connect()
  } finally {
    connecting -= 1
    if (connecting === 0) restore()
  }
}

function filterConsole(): () => void {
  const undo = LEVELS.map((level) => {
    const print = console[level]
    const filtered = (...parts: unknown[]): void => {
      if (typeof parts[1] !== 'string' || !PRINTED.test(parts[1])) print.apply(console, parts)
    }
    console[level] = filtered
    // Who has put something of theirs over it in the meantime keeps that.
    return () => {
      if (console[level] === filtered) console[level] = print
    }
  })
  return () => {
    for (const each of undo) each()
  }
}
