/** Commands that spend money: ended and asked for again, they spend it once. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { createDevChain, type DevChain } from '../../src/chain/dev/index.ts'
import { hashAt } from '../../src/chain/read.ts'
import { main } from '../../src/cli/main.ts'
import { toHex } from '../../src/util/bytes.ts'
import { connect, createSigners, createSubnetChain, NETUID } from '../e2e/chain-stage.ts'
import { createFakeIo } from './fake-io.ts'

const root = mkdtempSync(join(tmpdir(), 'wheelwright-'))
const dir = join(root, 'chain')
const ends: (() => unknown)[] = [() => rmSync(root, { recursive: true })]
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

const TAO = 123
const AMOUNT_HEX = toHex(new Uint8Array(new BigUint64Array([BigInt(TAO) * 1_000_000_000n]).buffer))

async function stake(dev: DevChain) {
  const { io, texts, stop } = createFakeIo()
  const where = ['--network', dev.url, '--netuid', String(NETUID), '--dir', dir]
  const ended = main(['chain', 'stake', '--uri', '//Alice', '--amount', String(TAO), ...where], io)
  return { ended, texts, stop }
}

/** Seals until the command is over. */
async function sealed(dev: DevChain, { ended }: { readonly ended: Promise<number> }): Promise<number> {
  let isOver = false
  void ended.finally(() => {
    isOver = true
  })
  while (!isOver) {
    await dev.seal()
    await new Promise((resolve) => setTimeout(resolve, 40))
  }
  return ended
}

async function timesPaid(dev: DevChain): Promise<number> {
  const client = await connect(dev, null, 600_000)
  ends.push(() => client.stop())
  const raw = await client.link.use(
    async (api) => {
      const blocks: string[] = []
      for (let number = 1; number <= dev.head().number; number++) {
        blocks.push(JSON.stringify(await api.rpc.chain.getBlock.raw(`0x${await hashAt(api, number)}`)))
      }
      return blocks.join('')
    },
    { signal: AbortSignal.timeout(10_000) },
  )
  return raw.split(AMOUNT_HEX).length - 1
}

test('a stake that was ended by Ctrl-C and asked for again is paid once', { timeout: 60_000 }, async () => {
  const dev = await createSubnetChain(await createSigners(), {})
  ends.push(() => dev.stop())
  const journal = () => readdirSync(dir).find((name) => name.endsWith('.writes')) ?? ''
  const first = await stake(dev)
  await vi.waitFor(() => expect(readFileSync(join(dir, journal()), 'utf8')).toContain('sent'), { timeout: 20_000 })
  expect(statSync(dir).mode & 0o777).toBe(0o700)

  // While it runs, the same key cannot be used twice.
  const beside = await stake(dev)
  expect(await beside.ended).toBe(4)
  expect(beside.texts.err).toMatch(/DATA_IN_USE[\s\S]*another process/)

  first.stop.abort(new Error('Ctrl-C'))
  expect(await first.ended).not.toBe(0)
  for (let i = 0; i < 3; i++) await dev.seal()
  const again = await stake(dev)
  expect(await sealed(dev, again)).toBe(0)
  expect(again.texts.out).toMatch(/^staked 123 TAO at block \d+\n$/)
  expect(await timesPaid(dev)).toBe(1)
  // Who wants more asks again, and pays again.
  expect(await sealed(dev, await stake(dev))).toBe(0)
  expect(await timesPaid(dev)).toBe(2)
})

test('who looks around keeps nothing, and no address is printed with what is secret in it', {
  timeout: 60_000,
}, async () => {
  const dev = await createDevChain({ blockMs: null })
  ends.push(() => dev.stop())
  const { io, texts } = createFakeIo()
  const network = `ws://me:SECRET@127.0.0.1:${dev.port}?apikey=SECRET`
  for (const flags of [[], ['--json']])
    expect(await main(['chain', 'status', '--network', network, ...flags], io)).toBe(0)
  expect(texts.out).toContain(`at ${dev.url}\n`)
  for (const wrong of [`${network}#x`, `http://me:SECRET@h`]) {
    expect(await main(['chain', 'status', '--network', wrong], io)).toBe(2)
  }
  expect(texts.out + texts.err).not.toContain('SECRET')
})
