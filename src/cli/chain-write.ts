/** The commands that write: register, stake, commit, weights. Each ends when its effect stands in a finalised block. */

import type { Effects } from '../chain/write.ts'
import { NodeError } from '../errors.ts'
import type { Landing } from '../ports.ts'
import { fromSs58 } from '../protocol/hotkey.ts'
import { WEIGHT_U16_MAX } from '../protocol/weight.ts'
import { fromHex, toHex } from '../util/bytes.ts'
import { COMMAND_BLOCKS, type Opened, withChain } from './chain-open.ts'
import type { COLD_FLAGS, COMMIT_FLAGS, STAKE_FLAGS, TRANSFER_FLAGS, WEIGHTS_FLAGS } from './chain-table.ts'
import type { FlagValues } from './command.ts'
import { type Io, printable, writeJson } from './io.ts'

type KeyFlags = FlagValues<typeof COLD_FLAGS>

/** A commitment's field holds this many bytes. */
const DATA_BYTES_MAX = 128
const RAO_PER_TAO = 1_000_000_000

/** The price may rise until it lands, but not by more than this: then nothing is paid. */
const PRICE_PERCENT = 120n

/** At the price of the moment. Runtimes that know no limit take whatever the price is by then. */
export const register = (flags: KeyFlags, io: Io): Promise<void> =>
  withChain(
    flags,
    io,
    async ({ chain, signal, best, hotkey }) => {
      const { price, isLimited } = await chain.link.use(
        async (api) => ({
          price: BigInt((await api.query['subtensorModule']?.['burn']?.(flags.netuid))?.toString() ?? 0),
          isLimited: api.tx['subtensorModule']?.['registerLimit'] !== undefined,
        }),
        { signal },
      )
      const args = [flags.netuid, `0x${hotkey}`]
      const limit = String((price * PRICE_PERCENT) / 100n)
      const effect: Effects['call'] = isLimited
        ? { pallet: 'subtensorModule', name: 'registerLimit', args: [...args, limit] }
        : { pallet: 'subtensorModule', name: 'burnedRegister', args }
      const landing = await chain.write({ kind: 'call', effect }, { lastBlock: best + COMMAND_BLOCKS, signal })
      const tao = Number(price) / RAO_PER_TAO
      tell(flags.json, io, `registered for about ${tao} TAO`, landing, { done: 'registered', tao })
    },
    'coldkey',
  )

export const stake = (flags: FlagValues<typeof STAKE_FLAGS>, io: Io): Promise<void> =>
  call(flags, io, `staked ${flags.amount} TAO`, (hotkey) => ({
    pallet: 'subtensorModule',
    name: 'addStake',
    args: [`0x${hotkey}`, flags.netuid, String(BigInt(flags.amount) * BigInt(RAO_PER_TAO))],
  }))

export const transfer = (flags: FlagValues<typeof TRANSFER_FLAGS>, io: Io): Promise<void> => {
  const to = fromSs58(flags.to)
  if (to === null) {
    const why = 'it takes an SS58 address, as `wheelwright wallet show` prints it'
    throw new NodeError('USAGE', { what: `--to cannot be '${printable(flags.to.slice(0, 60))}'`, why })
  }
  return call(flags, io, `sent ${flags.amount} TAO`, () => ({
    pallet: 'balances',
    name: 'transferKeepAlive',
    args: [`0x${to}`, String(BigInt(flags.amount) * BigInt(RAO_PER_TAO))],
  }))
}

export async function commit(flags: FlagValues<typeof COMMIT_FLAGS>, io: Io): Promise<void> {
  const bytes = fromHex(flags.data.toLowerCase().replace(/^0x/, ''))
  if (bytes === null || bytes.length === 0 || bytes.length > DATA_BYTES_MAX) {
    throw new NodeError('USAGE', {
      what: `--data cannot be '${printable(flags.data.slice(0, 40))}'`,
      why: `it takes 1 to ${DATA_BYTES_MAX} bytes as hex`,
    })
  }
  await withChain(flags, io, async ({ chain, signal, best }) => {
    const landing = await chain.writeSlot(bytes, { lastBlock: best + COMMAND_BLOCKS, signal })
    tell(flags.json, io, 'committed', landing, { data: toHex(bytes) })
  })
}

export async function weights(flags: FlagValues<typeof WEIGHTS_FLAGS>, io: Io): Promise<void> {
  const uids = numbersOf('uids', flags.uids)
  const values = numbersOf('values', flags.values)
  if (uids.length !== values.length) {
    throw new NodeError('USAGE', {
      what: `--uids has ${uids.length} entries and --values ${values.length}`,
      why: 'every uid needs its value',
    })
  }
  await withChain(flags, io, async ({ chain, signal, best }) => {
    const vector = uids.map((uid, i) => [uid, values[i] ?? 0] as const)
    const landing = await chain.setWeights(vector, { lastBlock: best + COMMAND_BLOCKS, signal })
    const isOwed = (chain.weights?.owed() ?? []).length > 0
    if (isOwed) io.stderr.write(`weights committed at block ${landing.block}: they are revealed in a later epoch\n`)
    const revealed = await chain.weights?.whenRevealed({ signal })
    tell(flags.json, io, 'weights landed', revealed ?? landing, {
      uids,
      values,
      committed: revealed ? landing.block : null,
    })
  })
}

function numbersOf(flag: string, text: string): readonly number[] {
  const parts = text.split(',')
  if (parts.every((part) => /^\d{1,5}$/.test(part) && Number(part) <= WEIGHT_U16_MAX)) return parts.map(Number)
  throw new NodeError('USAGE', {
    what: `--${flag} cannot be '${printable(text.slice(0, 60))}'`,
    why: 'it takes whole numbers from 0 to 65535 separated by commas',
  })
}

function call(flags: KeyFlags, io: Io, done: string, effect: (hotkey: string) => Effects['call']): Promise<void> {
  const work = async ({ chain, signal, best, hotkey }: Opened): Promise<void> => {
    const landing = await chain.write(
      { kind: 'call', effect: effect(hotkey) },
      { lastBlock: best + COMMAND_BLOCKS, signal },
    )
    tell(flags.json, io, done, landing, {})
  }
  // They spend money, and the hotkey has none.
  return withChain(flags, io, work, 'coldkey')
}

function tell(json: boolean, io: Io, done: string, { block }: Landing, facts: object): void {
  if (json) writeJson(io.stdout, { done, block, ...facts })
  else io.stdout.write(`${done} at block ${block}\n`)
}
