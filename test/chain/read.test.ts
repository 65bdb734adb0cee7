/** What differs between runtimes: the rest is read from the development chain, in test/e2e. */
import { describe, expect, test } from 'vitest'
import { readCommitEpoch, readNeurons, readRules, type State } from '../../src/chain/read.ts'

const HOTKEY = 'aa'.repeat(32)
const HASH = 'bb'.repeat(32)

/** The storage of a chain at one block, by pallet and name: what is not here, its metadata does not have. */
function stateOf(storage: { readonly [pallet: string]: { readonly [name: string]: unknown } }): State {
  const entries = (values: { readonly [name: string]: unknown }) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, async () => ({ toJSON: () => value })]))
  const query = Object.fromEntries(Object.entries(storage).map(([pallet, values]) => [pallet, entries(values)]))
  return { at: { query }, hash: '00' } as unknown as State
}

const commits = (second: number) => [[`0x${HASH}`, second, 0, 0]]
const commit = { netuid: 1, hotkey: HOTKEY, hash: HASH }

describe('a runtime that counts epochs', () => {
  const state = stateOf({ subtensorModule: { tempo: 10, subnetEpochIndex: 7, weightCommits: commits(6) } })

  test('says in which one it is and in which one a hash was committed', async () => {
    expect((await readRules(state, 1)).epoch).toBe(7)
    expect(await readCommitEpoch(state, commit)).toBe(6)
  })

  test('says nothing of a hash that is not open', async () => {
    expect(await readCommitEpoch(state, { ...commit, hash: 'cc'.repeat(32) })).toBe(null)
  })
})

describe('an earlier runtime, whose epochs follow from the height', () => {
  // (block + netuid + 1) / (tempo + 1): epoch 9 begins at block 97.
  const state = stateOf({ system: { number: 100 }, subtensorModule: { tempo: 10, weightCommits: commits(96) } })

  test('the block of a state is in an epoch, and so is that of a commit', async () => {
    expect((await readRules(state, 1)).epoch).toBe(9)
    expect(await readCommitEpoch(state, commit)).toBe(8)
  })
})

test('where the metadata names no metagraph, neurons are read from storage, by uid', async () => {
  const key = (uid: number) => ({ args: [{ toJSON: () => 1 }, { toJSON: () => uid }] })
  const hotkey = (byte: string) => ({ toU8a: () => Uint8Array.from({ length: 32 }, () => Number(byte)) })
  const query = {
    keys: {
      entries: async () => [
        [key(1), hotkey('7')],
        [key(0), hotkey('9')],
      ],
    },
    validatorPermit: async () => ({ toJSON: () => [true, false] }),
    totalHotkeyAlpha: { multi: async () => [{ toJSON: () => 70 }, { toJSON: () => '0x5a' }] },
  }
  const state = { at: { call: {}, query: { subtensorModule: query } }, hash: '00' } as unknown as State
  expect(await readNeurons(state, 1)).toEqual([
    { uid: 0, hotkey: '09'.repeat(32), stake: 90n, permit: true },
    { uid: 1, hotkey: '07'.repeat(32), stake: 70n, permit: false },
  ])
})
