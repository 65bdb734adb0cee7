/** What a JSON-RPC method is: a function of checked parameters, which may open a subscription. */
import { fromHex } from '../../../util/bytes.ts'
import { rpcError } from '../rpc-error.ts'

/** Thrown by a method whose answer must get lost. */
export class Unanswered extends Error {}

/** Parameters as they came; each reader refuses what does not fit with "Invalid params". */
export type Params = {
  readonly raw: readonly unknown[]
  isAbsent(index: number): boolean
  text(index: number): string
  number(index: number): number
  list(index: number): readonly unknown[]
  /** Hex without 0x. */
  hex(index: number): string
  optionalHex(index: number): string | null
}

/** Notifications go out under the name of the subscription's kind until it is stopped. */
export type Subscription = {
  readonly notification: string
  /** Called after the client was told the subscription's id. Returns how to stop. */
  readonly start: (send: (result: unknown) => void) => () => void
}

export type Method = (params: Params) => unknown
export type Subscribe = (params: Params) => Subscription

export type Methods = {
  readonly calls: { readonly [name: string]: Method }
  /** With the method that ends each. */
  readonly subscriptions: { readonly [name: string]: { readonly end: string; readonly open: Subscribe } }
}

export function createParams(raw: readonly unknown[]): Params {
  const wrong = (index: number, wanted: string) => rpcError.params(`parameter ${index} is not ${wanted}`)
  const hex = (index: number): string => {
    const found = hexOf(raw[index])
    if (found === null) throw wrong(index, 'hex with 0x')
    return found
  }
  const isAbsent = (index: number) => raw[index] === undefined || raw[index] === null
  return {
    raw,
    isAbsent,
    hex,
    optionalHex: (index) => (isAbsent(index) ? null : hex(index)),
    text: (index) => {
      const value = raw[index]
      if (typeof value !== 'string') throw wrong(index, 'a text')
      return value
    },
    number: (index) => {
      const value = numberOf(raw[index])
      if (value === null) throw wrong(index, 'a number')
      return value
    },
    list: (index) => {
      const value = raw[index]
      if (!Array.isArray(value)) throw wrong(index, 'a list')
      return value
    },
  }
}

/** Upper case is welcome, as it is in Substrate. */
export function hexOf(value: unknown): string | null {
  if (typeof value !== 'string' || !value.startsWith('0x')) return null
  const text = value.slice(2).toLowerCase()
  return fromHex(text) === null ? null : text
}

/** Block numbers come as numbers, and as hex from some clients. */
export function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' && /^0x[0-9a-f]{1,13}$/i.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : null
}
