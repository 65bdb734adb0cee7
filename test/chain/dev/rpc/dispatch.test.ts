import { describe, expect, test } from 'vitest'
import { ArmedFaults } from '../../../../src/chain/dev/fault.ts'
import { Account } from '../../../../src/chain/dev/pallet/system.ts'
import { Now } from '../../../../src/chain/dev/pallet/timestamp.ts'
import { createRpc } from '../../../../src/chain/dev/rpc/dispatch.ts'
import { type AnyItem, encodeKeys, prefixOf } from '../../../../src/chain/dev/storage-key.ts'
import { toHex } from '../../../../src/util/bytes.ts'
import { ALICE, alice, BOB, createTestChain, NO_LOG, NOBODY, remark, sign, transferOf } from '../world.ts'

type Message = {
  readonly id?: unknown
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string; readonly data?: string }
  readonly method?: string
  readonly params?: { readonly subscription: string; readonly result: Told }
}
/** The parts of notifications that are looked at. */
type Told = { readonly number: string; readonly specVersion: number; readonly changes: readonly (readonly string[])[] }

function setup(options: Parameters<typeof createTestChain>[0] = {}) {
  const { chain } = createTestChain(options)
  const faults = new ArmedFaults()
  const rpc = createRpc({ chain, faults, info: { chainName: 'Test', version: '1' }, log: NO_LOG })
  const sent: Message[] = []
  const connection = rpc.connect((text) => sent.push(JSON.parse(text)))
  /** The answer leaves the list, notifications stay. */
  const ask = (method: string, ...params: unknown[]): Message => {
    connection.receive(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }))
    const [answer] = sent.splice(
      sent.findIndex(({ id }) => id === 1),
      1,
    )
    return answer ?? expect.fail('there is an answer')
  }
  const result = (method: string, ...params: unknown[]) => ask(method, ...params).result
  return { chain, faults, connection, sent, ask, result }
}

const accountKey = (account: string, { runtime }: ReturnType<typeof createTestChain>['chain']) =>
  `0x${prefixOf(Account as AnyItem)}${encodeKeys(Account as AnyItem, [account], runtime.codecs)}`
const nowKey = `0x${prefixOf(Now as AnyItem)}`

describe('what is no request is answered all the same:', () => {
  const cases: [text: string, code: number][] = [
    ['', -32700],
    ['{', -32700],
    ['null', -32600],
    ['7', -32600],
    ['[]', -32600],
    ['"x"', -32600],
    ['{}', -32600],
    ['{"id":{},"method":"system_chain"}', -32600],
    ['{"id":1,"method":7}', -32600],
    ['{"id":1,"method":"system_chain","params":{}}', -32600],
    ['{"id":1,"method":"no_such"}', -32601],
    ['{"id":1,"method":"constructor"}', -32601],
    ['{"id":1,"method":"__proto__"}', -32601],
    ['{"id":1,"method":"state_getStorage","params":[]}', -32602],
    ['{"id":1,"method":"state_getStorage","params":["00"]}', -32602],
    ['{"id":1,"method":"state_getStorage","params":["0x0"]}', -32602],
    ['{"id":1,"method":"state_getKeysPaged","params":["0x",1001]}', -32602],
    ['{"id":1,"method":"state_getKeysPaged","params":["0x",-1]}', -32602],
    ['{"id":1,"method":"chain_getBlockHash","params":["x"]}', -32602],
    ['{"id":1,"method":"system_accountNextIndex","params":["nobody"]}', -32602],
    ['{"id":1,"method":"state_getStorage","params":["0x00","0x11"]}', 4003],
    ['{"id":1,"method":"state_call","params":["No_such","0x"]}', 4003],
    ['{"id":1,"method":"state_call","params":["constructor","0x"]}', 4003],
    ['{"id":1,"method":"state_call","params":["AccountNonceApi_account_nonce","0x00"]}', 4003],
    ['{"id":1,"method":"author_submitExtrinsic","params":["0x00"]}', 1001],
    ['{"id":1,"method":"author_submitExtrinsic","params":["0x"]}', 1001],
    ['{"id":1,"method":"state_subscribeStorage","params":[["x"]]}', -32602],
  ]
  test.each(cases)('%s', (text, code) => {
    const { connection, sent } = setup()
    connection.receive(text)
    expect(sent.map(({ error }) => error?.code)).toEqual([code])
  })
})

test('a batch is answered with a batch, in its order', () => {
  const { connection, sent } = setup()
  const request = (id: number, method: string) => ({ jsonrpc: '2.0', id, method, params: [] })
  connection.receive(JSON.stringify([request(1, 'system_chain'), request(2, 'nothing'), request(3, 'system_name')]))
  const [answers] = sent as unknown as [Message[]]
  expect(answers.map(({ id, result, error }) => [id, result ?? error?.code])).toEqual([
    [1, 'Test'],
    [2, -32601],
    [3, 'Subtensor Node'],
  ])
})

describe('blocks', () => {
  test('are found by number and by hash', () => {
    const { chain, result } = setup()
    const hash = `0x${chain.seal().hash}`
    expect([
      result('chain_getBlockHash'),
      result('chain_getBlockHash', 1),
      result('chain_getBlockHash', '0x1'),
    ]).toEqual([hash, hash, hash])
    expect(result('chain_getBlockHash', [0, 1, 7])).toEqual([`0x${chain.hashOf(0)}`, hash, null])
    expect(result('chain_getHeader', hash)).toMatchObject({ number: '0x1', parentHash: `0x${chain.hashOf(0)}` })
    expect(result('chain_getBlock')).toMatchObject({ block: { header: { number: '0x1' } }, justifications: null })
    expect([result('chain_getHeader', `0x${NOBODY}`), result('chain_getBlock', `0x${NOBODY}`)]).toEqual([null, null])
    expect(result('chain_getFinalizedHead')).toBe(`0x${chain.hashOf(0)}`)
  })
})

describe('storage', () => {
  test('is read now and then', () => {
    const { chain, result } = setup()
    chain.submit(sign(chain, alice, transferOf(NOBODY, 1000n)))
    const { hash } = chain.seal()
    const key = accountKey(NOBODY, chain)
    const value = result('state_getStorage', key, `0x${hash}`)
    expect(value).toMatch(/^0x[0-9a-f]{112}$/)
    expect(result('state_getStorage', key, `0x${chain.hashOf(0)}`)).toBeNull()
    expect(result('state_getStorage', key.toUpperCase().replace('0X', '0x'))).toBe(value)
    expect(result('state_getStorageSize', key)).toBe(56)
    expect(result('state_getStorageHash', key)).toMatch(/^0x[0-9a-f]{64}$/)
    expect(result('state_queryStorageAt', [key, nowKey])).toMatchObject([
      {
        changes: [
          [key, value],
          [nowKey, expect.any(String)],
        ],
      },
    ])
  })

  test('has its keys in pages', () => {
    const { result } = setup()
    const prefix = `0x${prefixOf(Account as AnyItem)}`
    const all = result('state_getKeys', prefix) as string[]
    expect(all).toHaveLength(6)
    const first = result('state_getKeysPaged', prefix, 4) as string[]
    expect([...first, ...(result('state_getKeysPaged', prefix, 4, first.at(-1)) as string[])]).toEqual(all)
    expect(result('state_getKeysPaged', prefix, 4, null, `0x${NOBODY}`)).toBeUndefined()
  })

  test('of a block that is too old is discarded', () => {
    const { chain, ask } = setup({ historyBlocks: 4 })
    const { hash } = chain.seal()
    for (let i = 0; i < 4; i++) chain.seal()
    expect(ask('state_getStorage', nowKey, `0x${hash}`).error?.message).toContain('State already discarded')
    for (let i = 0; i < 4; i++) chain.seal()
    expect(ask('state_getStorage', nowKey, `0x${hash}`).error?.message).toContain('Header was not found')
  })
})

describe('subscriptions', () => {
  test('to heads begin with the present one', () => {
    const { chain, sent, ask } = setup()
    const id = ask('chain_subscribeNewHeads').result
    chain.seal()
    expect(sent.map(({ method, params }) => [method, params?.subscription, params?.result.number])).toEqual([
      ['chain_newHead', id, '0x0'],
      ['chain_newHead', id, '0x1'],
    ])
  })

  test('end when they are told to, and with the connection', () => {
    const { chain, connection, sent, ask } = setup()
    const id = ask('chain_subscribeNewHeads').result
    ask('chain_subscribeFinalizedHeads')
    expect(ask('chain_unsubscribeNewHeads', id).result).toBe(true)
    expect(ask('chain_unsubscribeNewHeads', id).result).toBe(false)
    connection.close()
    sent.length = 0
    for (let i = 0; i < 5; i++) chain.seal()
    expect(sent).toEqual([])
  })

  test('to storage tell all at first and then only what changed', () => {
    const { chain, sent, ask } = setup()
    ask('state_subscribeStorage', [nowKey, accountKey(BOB, chain)])
    const keys = () => sent.map(({ params }) => params?.result.changes.map(([key]) => key))
    chain.seal()
    chain.submit(sign(chain, alice, transferOf(BOB, 1n)))
    chain.seal()
    const both = [nowKey, accountKey(BOB, chain)]
    expect(keys()).toEqual([both, [nowKey], both])
  })

  test('to the runtime version hear of an upgrade', () => {
    const { chain, sent, ask } = setup()
    ask('state_subscribeRuntimeVersion')
    chain.upgrade()
    chain.seal()
    expect(sent.map(({ params }) => params?.result.specVersion)).toEqual([425, 426])
  })

  test('to a transaction tell what becomes of it', () => {
    const { chain, sent, ask } = setup()
    ask('author_submitAndWatchExtrinsic', `0x${toHex(sign(chain, alice, remark()))}`)
    const block = chain.seal()
    for (let i = 0; i < 2; i++) chain.seal()
    expect(sent.map(({ params }) => params?.result)).toEqual([
      'ready',
      { inBlock: `0x${block.hash}` },
      { finalized: `0x${block.hash}` },
    ])
  })

  test('are not opened without end', () => {
    const { ask } = setup()
    for (let i = 0; i < 1024; i++) ask('chain_subscribeNewHeads')
    expect(ask('chain_subscribeNewHeads').error).toMatchObject({ code: -32006 })
  })
})

describe('the pool', () => {
  test('refuses with code, words and data', () => {
    const { chain, ask } = setup()
    const bytes = `0x${toHex(sign(chain, alice, remark(), { specVersion: 1 }))}`
    expect(ask('author_submitExtrinsic', bytes).error).toEqual({
      code: 1010,
      message: 'Invalid Transaction',
      data: 'Transaction has a bad signature',
    })
  })

  test('counts in the next nonce', () => {
    const { chain, result } = setup()
    chain.submit(sign(chain, alice, remark()))
    expect([result('system_accountNextIndex', alice.address), result('system_accountNextIndex', `0x${ALICE}`)]).toEqual(
      [1, 1],
    )
    expect(result('author_pendingExtrinsics')).toHaveLength(1)
    expect(result('state_call', 'AccountNonceApi_account_nonce', `0x${ALICE}`)).toBe('0x00000000')
  })
})

describe('runtime calls', () => {
  test('serve metadata in two versions', () => {
    const { result } = setup()
    expect(result('state_call', 'Metadata_metadata_versions', '0x')).toBe('0x080e0000000f000000')
    expect(result('state_call', 'Metadata_metadata_at_version', '0x0f000000')).toContain('6d6574610f')
    expect(result('state_call', 'Metadata_metadata_at_version', '0x63000000')).toBe('0x00')
    expect(result('state_getMetadata')).toMatch(/^0x6d6574610e/)
  })

  test('tell what a transaction would cost', () => {
    const { chain, result } = setup()
    const bytes = sign(chain, alice, remark())
    const length = new Uint8Array(Uint32Array.of(bytes.length).buffer)
    const info = result('state_call', 'TransactionPaymentApi_query_info', `0x${toHex(bytes)}${toHex(length)}`) as string
    const decoded = chain.runtime.codecs.decode('RuntimeDispatchInfo', Buffer.from(info.slice(2), 'hex'))
    expect(decoded).toMatchObject({ partial_fee: 124_000n + BigInt(bytes.length) })
  })
})
