import { describe, expect, test } from 'vitest'
import { hashHeader } from '../../../src/chain/dev/block.ts'
import type { ChainEvent } from '../../../src/chain/dev/chain.ts'
import { Account, BlockHash, BlockNumber, EventCount, ParentHash } from '../../../src/chain/dev/pallet/system.ts'
import { Now } from '../../../src/chain/dev/pallet/timestamp.ts'
import type { TxStatus } from '../../../src/chain/dev/pool.ts'
import { ALICE, alice, BOB, bob, createTestChain, eventNames, NOBODY, remark, sign, transferOf } from './world.ts'

const brief = (event: ChainEvent) => (event.type === 'upgraded' ? event.type : `${event.type} ${event.block.number}`)

describe('blocks', () => {
  test('follow one another', () => {
    const { chain } = createTestChain()
    const [genesis, first, second] = [chain.head(), chain.seal(), chain.seal()]
    expect([genesis, first, second].map(({ number }) => number)).toEqual([0, 1, 2])
    expect([first, second].map(({ header }) => header.parent_hash)).toEqual([genesis.hash, first.hash])
    expect(hashHeader(second.header, chain.runtime.codecs)).toBe(second.hash)
    expect([chain.state.get(BlockNumber), chain.state.get(ParentHash)]).toEqual([2, first.hash])
    expect(chain.state.get(BlockHash, 1)).toBe(first.hash)
  })

  test('begin with the time, which never stands still', () => {
    const { chain } = createTestChain()
    chain.seal()
    const before = chain.state.get(Now)
    const block = chain.seal()
    expect(chain.state.get(Now)).toBeGreaterThan(before)
    expect(block.body).toHaveLength(1)
    expect(chain.state.get(EventCount)).toBe(1)
  })

  test('may leave out what waits', () => {
    const { chain } = createTestChain()
    chain.submit(sign(chain, alice, remark()))
    expect([chain.seal('empty'), chain.seal()].map(({ body }) => body.length)).toEqual([1, 2])
  })

  test('are the same when all that happened is the same', () => {
    const hashes = [1, 2].map(() => {
      const { chain } = createTestChain()
      chain.submit(transferred)
      return chain.seal().hash
    })
    expect(hashes[0]).toBe(hashes[1])
    expect(createTestChain({ accounts: {} }).chain.head().hash).not.toBe(createTestChain().chain.head().hash)
  })
  const { chain: other } = createTestChain()
  const transferred = sign(other, alice, transferOf(BOB, 1n))

  test('are kept as long as the history, and their hashes for ever', () => {
    const { chain } = createTestChain({ historyBlocks: 5 })
    const first = chain.seal()
    for (let i = 0; i < 10; i++) chain.seal()
    expect([chain.blockByHash(first.hash), chain.viewAt(1), chain.hashOf(1)]).toEqual([null, null, first.hash])
    expect(chain.blockByHash(chain.hashOf(2) as string)?.number).toBe(2)
    expect(chain.viewAt(7)?.block).toBe(7)
    expect([chain.viewAt(6), chain.viewAt(12)]).toEqual([null, null])
    expect(chain.hashOf(99)).toBeNull()
  })
})

describe('finality', () => {
  test('trails, block by block, and is told after what is best', () => {
    const { chain } = createTestChain({ finalityBlocks: 2 })
    const heard: string[] = []
    chain.listen((event) => heard.push(brief(event)))
    for (let i = 0; i < 4; i++) chain.seal()
    expect(chain.finalised().number).toBe(2)
    expect(heard).toEqual([
      'imported 1',
      'best 1',
      'imported 2',
      'best 2',
      'imported 3',
      'best 3',
      'finalised 1',
      'imported 4',
      'best 4',
      'finalised 2',
    ])
  })

  test('of a transaction is told with a later block than its inclusion', () => {
    const { chain } = createTestChain()
    const heard: TxStatus[] = []
    chain.submit(sign(chain, alice, remark())).watchers.add((status) => heard.push(status))
    const block = chain.seal()
    expect(heard).toEqual([{ inBlock: `0x${block.hash}` }])
    chain.seal()
    chain.seal()
    expect(heard.slice(1)).toEqual([{ finalized: `0x${block.hash}` }])
  })
})

describe('a fork', () => {
  const setup = () => {
    const { chain } = createTestChain({ finalityBlocks: 4 })
    for (let i = 0; i < 6; i++) chain.seal()
    return chain
  }

  test('replaces the last blocks by others, and is longer', () => {
    const chain = setup()
    const before = [3, 4, 5, 6].map((number) => chain.hashOf(number))
    const heard: string[] = []
    chain.listen((event) => heard.push(brief(event)))
    expect(chain.fork(2, 'again').number).toBe(7)
    const after = [3, 4, 5, 6].map((number) => chain.hashOf(number))
    expect(after.slice(0, 2)).toEqual(before.slice(0, 2))
    expect([after[2] === before[2], after[3] === before[3]]).toEqual([false, false])
    expect(heard).toEqual(['imported 5', 'imported 6', 'imported 7', 'best 7', 'finalised 3'])
    expect(chain.blockByHash(before[3] as string)).toBeNull()
  })

  test('never touches what is final', () => {
    const chain = setup()
    const final = chain.finalised()
    chain.fork(100, 'again')
    expect(chain.hashOf(final.number)).toBe(final.hash)
    expect(chain.head().number).toBe(7)
  })

  test('brings transactions back in another block', () => {
    const chain = setup()
    const heard: TxStatus[] = []
    chain.submit(sign(chain, alice, transferOf(NOBODY, 1000n))).watchers.add((status) => heard.push(status))
    const gone = chain.seal()
    chain.fork(1, 'again')
    const back = chain.hashOf(7)
    expect(heard).toEqual([
      { inBlock: `0x${gone.hash}` },
      { retracted: `0x${gone.hash}` },
      'ready',
      { inBlock: `0x${back}` },
    ])
    expect(chain.state.get(Account, NOBODY).data.free).toBe(1000n)
    expect(chain.state.get(Account, ALICE).nonce).toBe(1)
  })

  test('or loses them, and their sender may send them again', () => {
    const chain = setup()
    const bytes = sign(chain, alice, transferOf(NOBODY, 1000n))
    chain.submit(bytes)
    chain.seal()
    chain.fork(1, 'lost')
    expect([chain.state.get(Account, ALICE).nonce, chain.pool.pending().length]).toEqual([0, 0])
    expect(() => chain.submit(bytes)).toThrow('temporarily banned')
    chain.submit(sign(chain, alice, transferOf(NOBODY, 1001n)))
    chain.seal()
    expect(chain.state.get(Account, NOBODY).data.free).toBe(1001n)
  })

  test('drops a transaction whose block of birth is gone', () => {
    const chain = setup()
    const era = { period: 4, phase: 2 }
    const heard: TxStatus[] = []
    chain.submit(sign(chain, bob, remark(), { era })).watchers.add((status) => heard.push(status))
    chain.fork(1, 'again')
    expect(heard).toEqual(['invalid'])
    expect(chain.state.get(Account, BOB).nonce).toBe(0)
  })
})

describe('an upgrade', () => {
  test('takes effect with the next block, and history keeps its versions', () => {
    const { chain } = createTestChain({ specVersion: 425 })
    const heard: string[] = []
    chain.listen((event) => heard.push(brief(event)))
    chain.upgrade()
    expect(chain.specVersionAt(0)).toBe(425)
    chain.seal()
    expect([chain.specVersionAt(0), chain.specVersionAt(1)]).toEqual([425, 426])
    expect(heard).toEqual(['imported 1', 'upgraded', 'best 1'])
    expect(eventNames(chain)).toContain('System.CodeUpdated')
  })

  test('makes what was signed before worthless', () => {
    const { chain } = createTestChain()
    const heard: TxStatus[] = []
    chain.seal()
    chain.upgrade()
    chain.submit(sign(chain, alice, remark())).watchers.add((status) => heard.push(status))
    chain.seal()
    expect(heard).toEqual([{ inBlock: expect.anything() }])
    const stale = sign(chain, alice, remark(), { specVersion: 425 })
    expect(() => chain.submit(stale)).toThrow('Invalid Transaction')
  })
})
