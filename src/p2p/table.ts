/**
 * Cards in the table of peers, under their hotkeys: the way to a peer whose card gossip did not bring.
 *
 * The library stores whatever its validator lets pass and asks no selector, so the validator itself judges every record
 * against the directory, which remembers what is newest: an old card that is put again is refused, here and by who looks.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { type KadDHT, type KadDHTComponents, type KadDHTInit, kadDHT } from '@libp2p/kad-dht'
import type { Cancel, PeerAddress } from '../ports.ts'
import { openCard } from '../protocol/peer-card.ts'
import { Flaw } from '../protocol/schema.ts'
import { utf8 } from '../util/bytes.ts'
import type { Directory } from './directory.ts'
import type { Rates } from './rate.ts'

/** What a host stores for others. */
export type RecordRules = Required<Pick<KadDHTInit, 'validators' | 'selectors'>>

const PREFIX = 'card'
const KEY = new RegExp(`^/${PREFIX}/([0-9a-f]{64})$`)
const keyOf = (hotkey: string): Uint8Array => utf8(`/${PREFIX}/${hotkey}`)

/** Where the library keeps who provides what. */
const PROVIDERS = '/dht/provider/'

const refuse = (): never => {
  throw new Error('nothing of this kind is stored here')
}
/** The library's own kind of record would take in any key of anybody. */
export const NO_RECORDS: RecordRules = { validators: { pk: refuse }, selectors: {} }

/** Whose request is being answered. The library tells it to no validator, and a signature costs whoever judges it. */
const asker = new AsyncLocalStorage<string>()
export const answering = asker.run.bind(asker)

/** One record for each hotkey that is registered, of at most a card: so much is stored and no more, and not too often. */
export const recordRules = (take: Directory['take'], rates: Rates): RecordRules => ({
  validators: {
    ...NO_RECORDS.validators,
    [PREFIX]: (key, value) => {
      const peerId = asker.getStore()
      if (peerId !== undefined && !rates.takes(peerId)) throw new Error('too many records')
      const [, hotkey] = KEY.exec(new TextDecoder().decode(key)) ?? []
      const opened = openCard(value)
      if (opened instanceof Flaw || opened.envelope.hotkey !== hotkey)
        throw new Error('a record is no card of its hotkey')
      const verdict = take(value)
      if (verdict.kind === 'accept' || verdict.code === 'KNOWN') return
      throw new Error(`a card is refused: ${verdict.code}`)
    },
  },
  selectors: { [PREFIX]: (_, records) => newest(records) },
})

function newest(records: readonly Uint8Array[]): number {
  const sequences = records.map((bytes) => {
    const opened = openCard(bytes)
    return opened instanceof Flaw ? -1 : opened.card.sequence
  })
  return sequences.indexOf(Math.max(...sequences))
}

/**
 * The table of peers, with records alone: what its peers say that they provide is stored by the library without a limit, and
 * nobody here asks for it.
 */
export const recordsOnly =
  (init: KadDHTInit): ((components: KadDHTComponents) => KadDHT) =>
  (components) => {
    const { datastore, registrar } = components
    const put: typeof datastore.put = (key, value, options) =>
      key.toString().startsWith(PROVIDERS) ? refuse() : datastore.put(key, value, options)
    const handle: typeof registrar.handle = (protocol, handler, options) =>
      registrar.handle(
        protocol,
        (stream, connection) => answering(connection.remotePeer.toString(), handler, stream, connection),
        options,
      )
    const changed = {
      datastore: { value: Object.create(datastore, { put: { value: put } }) },
      registrar: { value: Object.create(registrar, { handle: { value: handle } }) },
    }
    return kadDHT(init)(Object.create(components, changed))
  }

export type Table = {
  /** Throws what the library throws when there is nobody to store it. */
  readonly put: (hotkey: string, card: Uint8Array, opts: Cancel) => Promise<void>
  readonly find: (hotkey: string, opts: Cancel) => Promise<PeerAddress | null>
}

export const createTable = (dht: KadDHT, directory: Pick<Directory, 'peerOf'>): Table => ({
  put: async (hotkey, card, opts) => {
    for await (const _ of dht.put(keyOf(hotkey), card, opts));
  },
  find: async (hotkey, opts) => {
    const held = directory.peerOf(hotkey)
    if (held !== null) return held
    // What is found has passed the validator, and so is in the directory.
    for await (const { name } of dht.get(keyOf(hotkey), opts)) if (name === 'VALUE') break
    return directory.peerOf(hotkey)
  },
})
