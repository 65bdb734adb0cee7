import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { Chain } from '../../../src/chain/dev/chain.ts'
import { openDisk } from '../../../src/chain/dev/disk.ts'
import { Account } from '../../../src/chain/dev/pallet/system.ts'
import { Now } from '../../../src/chain/dev/pallet/timestamp.ts'
import { SUBTENSOR_PARTS } from '../../../src/chain/dev/parts.ts'
import { NodeError } from '../../../src/errors.ts'
import { ALICE, alice, BOB, createTestChain, NO_LOG, sign, transferOf } from './world.ts'

const root = mkdtempSync(join(tmpdir(), 'dev-chain-'))
afterAll(() => rmSync(root, { recursive: true }))
let dir: string
let count = 0
beforeEach(() => {
  dir = join(root, String(++count))
})

const open = (historyBlocks = 100) => createTestChain({ dir, historyBlocks })
function grow(chain: Chain, blocks: number): void {
  for (let i = 0; i < blocks; i++) {
    chain.submit(sign(chain, alice, transferOf(BOB, BigInt(i + 1))))
    chain.seal()
  }
}
const facts = (chain: Chain) => ({
  head: chain.head().hash,
  all: chain.state.allAt(chain.head().number),
  hashes: Array.from({ length: chain.head().number + 1 }, (_, number) => chain.hashOf(number)),
})
const copyTo = (name: string) => {
  const copy = join(root, `${count}-${name}`)
  cpSync(dir, copy, { recursive: true })
  return copy
}

const segmentNumbers = () => {
  const numbers = readdirSync(dir).map((name) => Number(name.split('-')[1]))
  return [...new Set(numbers)].sort((a, b) => a - b)
}

describe('a chain that was stopped', () => {
  test('goes on where it was', () => {
    const first = open()
    grow(first.chain, 5)
    const before = facts(first.chain)
    first.close()
    const second = open()
    expect(facts(second.chain)).toEqual(before)
    expect(second.chain.finalised().number).toBe(3)
    grow(second.chain, 2)
    expect(second.chain.head().number).toBe(7)
    expect(second.chain.hashOf(5)).toBe(before.head)
    second.close()
  })

  test('that was never stopped but killed, too', () => {
    const { chain } = open()
    grow(chain, 5)
    const second = open()
    expect(facts(second.chain)).toEqual(facts(chain))
    second.close()
  })

  test('still knows its history', () => {
    const first = open()
    grow(first.chain, 6)
    first.close()
    const { chain } = open()
    const nonces = [1, 2, 3, 4, 5, 6].map((block) => chain.viewAt(block)?.get(Account, ALICE).nonce)
    expect(nonces).toEqual([1, 2, 3, 4, 5, 6])
    expect(chain.blockByHash(chain.hashOf(3) as string)?.body).toHaveLength(2)
  })

  test('remembers forks', () => {
    const first = open()
    grow(first.chain, 5)
    first.chain.fork(2, 'lost')
    const before = facts(first.chain)
    first.close()
    expect(facts(open().chain)).toEqual(before)
  })

  test('keeps the version of its runtime', () => {
    const first = open()
    first.chain.upgrade()
    first.chain.seal()
    first.close()
    expect(open().chain.specVersionAt(1)).toBe(426)
  })
})

describe('snapshots', () => {
  test('replace old blocks, and the history stays long enough at any time', () => {
    const first = open(5)
    for (let head = 1; head <= 22; head++) {
      grow(first.chain, 1)
      const { chain, close } = createTestChain({ dir: copyTo(`at-${head}`), historyBlocks: 5 })
      expect(facts(chain)).toEqual(facts(first.chain))
      const wanted = [4, 3, 2, 1, 0].map((ago) => head - ago).filter((block) => block >= 0)
      expect(wanted.map((block) => chain.viewAt(block)?.get(Account, ALICE).nonce)).toEqual(wanted)
      close()
    }
    expect(readdirSync(dir)).toHaveLength(4)
  })

  test('that a crash left without their segment cost nothing', () => {
    const first = open(5)
    grow(first.chain, 10)
    const before = facts(first.chain)
    first.close()
    rmSync(join(dir, `snapshot-${segmentNumbers().at(-1)}`))
    const { chain, close } = open(5)
    expect(facts(chain)).toEqual(before)
    grow(chain, 10)
    const later = facts(chain)
    close()
    expect(facts(open(5).chain)).toEqual(later)
  })

  test('survive forks right after them', () => {
    const first = open(5)
    for (let i = 0; i < 20; i++) {
      grow(first.chain, 1)
      if (i % 3 === 0) first.chain.fork(2, 'again')
    }
    const before = facts(first.chain)
    first.close()
    expect(facts(open(5).chain)).toEqual(before)
  })

  test('that are broken are passed over', () => {
    const first = open(5)
    grow(first.chain, 20)
    const before = facts(first.chain)
    first.close()
    writeFileSync(join(dir, `snapshot-${segmentNumbers().at(-1)}`), 'garbage')
    expect(facts(open(5).chain)).toEqual(before)
  })

  test('take over from a log that lost its end', () => {
    const first = open(5)
    grow(first.chain, 20)
    const before = facts(first.chain)
    first.close()
    truncateSync(join(dir, `blocks-${segmentNumbers()[0]}`), 100)
    const { chain } = open(5)
    expect([chain.head().hash, chain.state.allAt(chain.head().number)]).toEqual([before.head, before.all])
  })

  test('that were not finished are not seen', () => {
    const first = open(5)
    grow(first.chain, 7)
    const before = facts(first.chain)
    first.close()
    writeFileSync(join(dir, 'snapshot-99.new'), 'half')
    expect(facts(open(5).chain)).toEqual(before)
  })

  test('without their log are enough', () => {
    const first = open(5)
    first.close()
    rmSync(join(dir, 'blocks-0'))
    expect(open(5).chain.head().number).toBe(0)
  })
})

describe('a crash', () => {
  test('at any byte of the last record loses that block and no other', () => {
    const first = open()
    grow(first.chain, 4)
    first.close()
    const log = join(dir, 'blocks-0')
    const bytes = readFileSync(log)
    const { restored } = openDisk(dir, 100, NO_LOG)
    const whole = restored?.tail ?? []
    expect(whole).toHaveLength(4)
    const last = bytes.lastIndexOf(Buffer.from(whole.at(-1)?.block.hash ?? '', 'hex')) // 9 bytes into its record
    for (let cut = last - 9; cut <= bytes.length; cut++) {
      writeFileSync(log, bytes.subarray(0, cut))
      const { disk, restored } = openDisk(dir, 100, NO_LOG)
      disk.close()
      expect(restored?.tail).toHaveLength(cut === bytes.length ? 4 : 3)
      expect(readFileSync(log)).toHaveLength(cut === bytes.length ? cut : last - 9)
    }
    writeFileSync(log, bytes.subarray(0, -1))
    expect(open().chain.head().hash).toBe(whole[2]?.block.hash)
  })

  test('that leaves garbage at the end is cut off, and what comes after is kept', () => {
    const first = open()
    grow(first.chain, 3)
    const before = facts(first.chain)
    first.close()
    writeFileSync(join(dir, 'blocks-0'), 'garbage that is long enough to look like a record', { flag: 'a' })
    const second = open()
    expect(facts(second.chain)).toEqual(before)
    grow(second.chain, 2)
    const later = facts(second.chain)
    second.close()
    expect(facts(open().chain)).toEqual(later)
  })

  test('that turns a byte over loses what comes after it and nothing before', () => {
    const first = open()
    grow(first.chain, 4)
    const hashes = facts(first.chain).hashes
    first.close()
    const bytes = readFileSync(join(dir, 'blocks-0'))
    const at = bytes.length - 10
    bytes[at] = (bytes[at] as number) ^ 1
    writeFileSync(join(dir, 'blocks-0'), bytes)
    expect(facts(open().chain).hashes).toEqual(hashes.slice(0, 4))
  })
})

describe('what cannot be used is said:', () => {
  const codeOf = (run: () => unknown) => {
    try {
      run()
    } catch (error) {
      return error instanceof NodeError ? error.code : String(error)
    }
    return null
  }

  test('a directory whose only snapshot is broken', () => {
    open().close()
    writeFileSync(join(dir, 'snapshot-0'), 'garbage')
    expect(codeOf(open)).toBe('CHAIN_DATA_BROKEN')
  })

  test('a directory of another runtime', () => {
    createTestChain({ dir, parts: SUBTENSOR_PARTS }).close()
    expect(codeOf(open)).toBe('CHAIN_DATA_BROKEN')
  })
})

test('in memory there is no directory', () => {
  const { chain } = createTestChain()
  chain.seal()
  expect(existsSync(dir)).toBe(false)
  expect(chain.state.get(Now)).toBeGreaterThan(0n)
})
