/** What the doctor looks at. No check throws: whatever goes wrong is what it has found. */
import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, resolve } from 'node:path'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { inspectKey, listWallets } from '../chain/wallet.ts'
import { NodeError } from '../errors.ts'
import { DEVICES } from '../gpu/backend/device.ts'
import { type Probe, probe } from '../gpu/backend/probe.ts'
import { OPEN_TO_ALL } from '../p2p/admission.ts'
import { type Host, startHost } from '../p2p/host.ts'
import { meet } from '../p2p/meet.ts'
import type { PeerAddress } from '../ports.ts'
import { withChain } from './chain-open.ts'
import { sourcesOf } from './checkpoint-fetch.ts'
import type { Io } from './io.ts'
import { bytesText } from './progress.ts'
import { CLOCK, RANDOM } from './system.ts'

export type Finding = {
  /** One word. */
  readonly check: 'node' | 'disk' | 'port' | 'wallets' | 'chain' | 'clock' | 'entry' | 'device'
  readonly what: string
  /** Only where something is wrong. */
  readonly remedy?: string
  /** How to get what a node can do without. */
  readonly hint?: string
}

/** What libp2p and Helia need, and the door in bin/ demands. */
const NODE_MIN = [22, 19] as const
/** What the store leaves free, and one toy model: less is no use to anybody. */
const FREE_BYTES_MIN = 2 * 1024 ** 3
/** A block of mainnet. A clock that is further off misses windows. */
const CLOCK_MS_MAX = 12_000
const DIAL_MS = 10_000
const SECRET_BYTES = 32

const problem = (check: Finding['check'], error: unknown): Finding => {
  if (error instanceof NodeError) return { check, what: `${error.what}: ${error.why}`, remedy: error.remedy }
  const what = error instanceof Error ? error.message : String(error)
  return { check, what, remedy: 'Run it again; if it stays so, report it.' }
}

export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isEnough = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])
  const what = `Node ${version}`
  return isEnough
    ? { check: 'node', what }
    : { check: 'node', what, remedy: `Use Node ${NODE_MIN.join('.')} or later.` }
}

/** Makes nothing: a directory that is not there is asked of the nearest one above it that is. */
export async function diskFinding(dir: string): Promise<Finding> {
  const check = 'disk'
  try {
    const place = await nearestThatIs(resolve(dir))
    const { bavail, bsize } = await statfs(place)
    const what = `${bytesText(bavail * bsize)} free for ${dir}`
    if (!(await stat(place)).isDirectory())
      return { check, what: `${place} is no directory`, remedy: 'Name another --dir.' }
    await access(place, constants.W_OK | constants.X_OK)
    if (bavail * bsize >= FREE_BYTES_MIN) return { check, what }
    return {
      check,
      what,
      remedy: `Free some, or name a larger disk with --dir; ${bytesText(FREE_BYTES_MIN)} is the least.`,
    }
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    return { check, what, remedy: 'Take the directory over with chown or chmod, or name another with --dir.' }
  }
}

const nearestThatIs = (path: string): Promise<string> =>
  stat(path).then(
    () => path,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' || dirname(path) === path) throw error
      return nearestThatIs(dirname(path))
    },
  )

/** Listens for a moment. */
export async function portFinding(address: string): Promise<Finding> {
  const check = 'port'
  try {
    const parts = new Map(
      multiaddr(address)
        .getComponents()
        .map(({ name, value }) => [name, value]),
    )
    const host = parts.get('ip4') ?? parts.get('ip6')
    const port = Number(parts.get('tcp'))
    if (host === undefined || Number.isNaN(port)) throw new Error(`${address} names no IP address with a TCP port`)
    await new Promise<void>((done, fail) => {
      const server = createServer()
      server.once('error', fail)
      server.listen(port, host, () => server.close(() => done()))
    })
    return { check, what: `${address} is free` }
  } catch (error) {
    const what = `${address}: ${error instanceof Error ? error.message : String(error)}`
    return { check, what, remedy: 'End what listens there, or choose another address or port with --listen.' }
  }
}

/** Whether others may read a secret, and whether what is there is a key. */
export async function walletFinding(dir: string): Promise<readonly Finding[]> {
  const check = 'wallets'
  try {
    const wallets = await listWallets(dir)
    const keys = wallets.flatMap(({ wallet, hotkeys }) => [
      inspectKey({ dir, wallet, hotkey: 'default' }, 'coldkey'),
      ...hotkeys.map((hotkey) => inspectKey({ dir, wallet, hotkey }, 'hotkey')),
    ])
    const states = await Promise.all(keys)
    // A coldkey may well be on another machine.
    const problems = states.flatMap((state) => (state.problem?.code === 'WALLET_MISSING' ? [] : (state.problem ?? [])))
    if (problems.length > 0) return problems.map((each) => problem(check, each))
    return [{ check, what: `${wallets.length} wallets in ${dir}, and nobody else can read them` }]
  } catch (error) {
    return [problem(check, error)]
  }
}

type ChainChoice = { readonly network: string; readonly netuid: number }

export async function chainFindings(choice: ChainChoice, io: Io): Promise<readonly Finding[]> {
  try {
    return await withChain({ ...choice, json: false }, io, async ({ chain, best, signal }) => {
      const answer = await chain.link.use(async (api) => api.query['timestamp']?.['now']?.(), { signal })
      const { endpoint, blockMs } = chain.health()
      const toldMs = Number(answer?.toString() ?? 0) // zero in the state of block 0
      const offMs = toldMs === 0 ? Number.NaN : CLOCK.now() - toldMs
      const found: Finding = { check: 'chain', what: `${endpoint} is at block ${best}` }
      return [found, clockFinding(offMs, blockMs)]
    })
  } catch (error) {
    return [problem('chain', error)]
  }
}

/** The newest block is up to one block old, so a right clock is a little ahead of it. */
export function clockFinding(offMs: number, blockMs: number): Finding {
  const check = 'clock'
  if (Number.isNaN(offMs)) return { check, what: 'the chain tells no time yet' }
  const what = `${(Math.abs(offMs) / 1_000).toFixed(1)} s ${offMs < 0 ? 'behind' : 'ahead of'} the newest block`
  const isRight = offMs > -CLOCK_MS_MAX && offMs < CLOCK_MS_MAX + 2 * blockMs
  return isRight
    ? { check, what }
    : { check, what, remedy: 'Let the system set its clock, for instance with systemd-timesyncd.' }
}

export async function entryFindings(text: string, io: Io): Promise<readonly Finding[]> {
  const check = 'entry'
  try {
    const entries = sourcesOf(text)
    const options = { listen: [], announce: [], privateAllowed: true, relay: false, admission: OPEN_TO_ALL }
    const host = await startHost({ ...options, network: 'doctor', secret: RANDOM.bytes(SECRET_BYTES) })
    try {
      const found: Finding[] = []
      for (const entry of entries) found.push(await entryFinding(host, entry, io))
      return found
    } finally {
      await host.stop()
    }
  } catch (error) {
    return [problem(check, error)]
  }
}

/** One after the other, and left again: the same peer may have several addresses, of which each shall answer. */
async function entryFinding(host: Host, entry: PeerAddress, io: Io): Promise<Finding> {
  const check = 'entry'
  const [address = ''] = entry.addresses
  try {
    await meet(host, entry, { signal: AbortSignal.any([io.signal, AbortSignal.timeout(DIAL_MS)]) })
    await host.hangUp(peerIdFromString(entry.peerId))
    return { check, what: `${address} answers` }
  } catch (error) {
    const what = `${address}: ${error instanceof Error ? error.message : String(error)}`
    return { check, what, remedy: 'Check the address, and that a firewall lets it through.' }
  }
}

/** A machine computes on its CPU when it has nothing better; one by one, because they are timed. */
export async function deviceFindings({ signal }: Io): Promise<readonly Finding[]> {
  const found: Finding[] = []
  for (const device of DEVICES) found.push(deviceFinding(await probe(device, { signal })))
  return found
}

export function deviceFinding(found: Probe): Finding {
  const check = 'device'
  const { device } = found
  if (found.works) {
    const { loss, gradients } = found.agreement
    const near = `, loss and gradients within ${Math.max(loss, gradients).toExponential(0)} of the CPU's`
    const speed = `${Number(found.ms.toPrecision(2))} ms for 4.3 GFLOP`
    return { check, what: `${device} works: ${speed}${device === 'cpu' ? '' : near}` }
  }
  const what = `${device} does not work: ${found.why}`
  return device === 'cpu' ? { check, what, remedy: found.remedy } : { check, what, hint: found.remedy }
}
