/**
 * An entry peer and nothing else, set up by the environment, for machines and containers that run only that.
 *
 * The same peer as that of `wheelwright bootnode`. Says its addresses as a line of JSON, and runs until SIGINT or SIGTERM.
 */
import { readFile } from 'node:fs/promises'
import { ERRORS, NodeError } from '../src/errors.ts'
import { runEntryPeer } from '../src/p2p/entry.ts'
import { fromHex } from '../src/util/bytes.ts'
import { ENTRIES } from './entries.ts'

const DEFAULT_LISTEN = '/ip4/0.0.0.0/tcp/4001'
const SECRET_BYTES = 32

function said(name: string): string {
  const value = process.env[name]
  if (value !== undefined && value !== '') return value
  throw new NodeError('USAGE', {
    what: `${name} is not set`,
    why: 'an entry peer is of one network, and has one key',
    remedy: 'See bootstrap/README.md.',
  })
}

const listOf = (text: string | undefined): string[] => (text ?? '').split(',').filter((part) => part !== '')

/** 64 hex digits, as `wheelwright bootnode` keeps them too. */
async function readSecret(path: string): Promise<Uint8Array> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new NodeError('FILE_UNREADABLE', { what: `${path} cannot be read`, why: String(cause), cause })
  })
  const secret = fromHex(text.trim())
  if (secret?.length === SECRET_BYTES) return secret
  throw new NodeError('WALLET_DAMAGED', { what: `the key in ${path} cannot be used`, why: 'it is not 64 hex digits' })
}

function tell(level: string): (message: string, data?: object) => void {
  return (message, data) => process.stderr.write(`${JSON.stringify({ level, message, ...data })}\n`)
}
const nothing = (): void => undefined

async function main(): Promise<void> {
  const network = said('WHEELWRIGHT_NETWORK')
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  await runEntryPeer(
    {
      network,
      secret: await readSecret(said('WHEELWRIGHT_KEY_FILE')),
      listen: listOf(process.env['WHEELWRIGHT_LISTEN'] ?? DEFAULT_LISTEN),
      announce: listOf(process.env['WHEELWRIGHT_ANNOUNCE']),
      entries: [...listOf(process.env['WHEELWRIGHT_ENTRIES']), ...(ENTRIES[network] ?? [])],
      privateAllowed: process.env['WHEELWRIGHT_PRIVATE'] === '1',
    },
    {
      clock: { now: () => performance.timeOrigin + performance.now(), setTimeout, clearTimeout },
      log: { debug: nothing, info: nothing, warn: tell('warn'), error: tell('error') },
      signal: stop.signal,
      started: ({ peerId, addresses }) =>
        process.stdout.write(`${JSON.stringify({ peerId, addrs: addresses, network })}\n`),
    },
  )
}

main().catch((error: unknown) => {
  const known = error instanceof NodeError ? error : new NodeError('INTERNAL', { what: 'it broke', why: String(error) })
  const { code, what, why, remedy } = known
  process.stderr.write(`${JSON.stringify({ level: 'error', code, what, why, remedy })}\n`)
  process.exitCode = ERRORS[code].exit
})
