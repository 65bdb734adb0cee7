/**
 * Transactions a second through a real WebSocket into blocks. They are signed before the clock starts, so that only the
 * chain is measured, and the little that a client does: write JSON and count answers.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Keyring } from '@polkadot/keyring'
import { WebSocket } from 'ws'
import { createDevChain, type DevChain, type DevChainOptions, openChain } from '../src/chain/dev/index.ts'
import { Account } from '../src/chain/dev/pallet/system.ts'
import { keyOf, NO_LOG, type Pair, remark, sign } from '../test/chain/dev/world.ts'
import { type Result, resultOf } from './harness.ts'

const ACCOUNTS = 200
/** The first round is for warming up. */
const ROUNDS = 4
const PER_ACCOUNT = 5
const BLOCK_MS = 250
const PER_SECOND_MIN = 200
const BALANCE = 1_000_000_000_000n
const POLL_MS = 5
const ROUND_MS_MAX = 20_000

export async function chainTraffic(): Promise<readonly Result[]> {
  const keyring = new Keyring({ type: 'sr25519' })
  const pairs = Array.from({ length: ACCOUNTS }, (_, i) => keyring.addFromUri(`//bench//${i}`))
  const accounts = Object.fromEntries(pairs.map((pair) => [keyOf(pair), BALANCE]))
  const options: DevChainOptions = { blockMs: BLOCK_MS, accounts }
  const rounds = signRounds(options, pairs)
  const dev = await createDevChain(options)
  const socket = new WebSocket(dev.url)
  try {
    await new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    const rates: number[] = []
    for (const [i, round] of rounds.entries()) rates.push(await rateOf(dev, socket, round, Object.keys(accounts), i))
    const name = 'transactions in blocks'
    const includes = `${ACCOUNTS * PER_ACCOUNT} signed remarks of ${ACCOUNTS} accounts over one WebSocket, from the first byte to the block with the last; pool, sr25519, fees, events, blocks every ${BLOCK_MS} ms, client in the same process; not signing; median of ${ROUNDS - 1} rounds`
    return [resultOf({ name, includes, unit: '/s', target: PER_SECOND_MIN }, rates.slice(1))]
  } finally {
    socket.terminate()
    await dev.stop()
  }
}

/** A twin has the same genesis, so that what is signed for one holds for the other. */
function signRounds(options: DevChainOptions, pairs: readonly Pair[]): readonly (readonly string[])[] {
  const { chain, close } = openChain(options, { log: NO_LOG, nowMs: Date.now })
  const signed = (pair: Pair, nonce: number) =>
    `0x${Buffer.from(sign(chain, pair, remark(`number ${nonce}`), { nonce })).toString('hex')}`
  const rounds = Array.from({ length: ROUNDS }, (_, round) =>
    Array.from({ length: PER_ACCOUNT }, (_, i) => round * PER_ACCOUNT + i).flatMap((nonce) =>
      pairs.map((pair) => signed(pair, nonce)),
    ),
  )
  close()
  return rounds
}

async function rateOf(
  dev: DevChain,
  socket: WebSocket,
  transactions: readonly string[],
  accounts: readonly string[],
  round: number,
): Promise<number> {
  const included = () => {
    const view = dev.read()
    return accounts.reduce((sum, account) => sum + view.get(Account, account).nonce, 0)
  }
  let refused: string | null = null
  const listen = (data: Buffer) => {
    const text = String(data)
    if (text.includes('"error"')) refused ??= text
  }
  socket.on('message', listen)
  const wanted = (round + 1) * transactions.length
  const startMs = performance.now()
  for (const [id, hex] of transactions.entries()) {
    socket.send(JSON.stringify({ jsonrpc: '2.0', id, method: 'author_submitExtrinsic', params: [hex] }))
  }
  let block = dev.head().number
  while (block === dev.head().number || included() < wanted) {
    block = dev.head().number
    await sleep(POLL_MS)
    if (refused !== null) throw new Error(`a transaction was refused: ${refused}`)
    if (performance.now() - startMs > ROUND_MS_MAX) throw new Error(`${included()} of ${wanted} came into blocks`)
  }
  const tookMs = performance.now() - startMs
  socket.off('message', listen)
  return (transactions.length * 1_000) / tookMs
}
