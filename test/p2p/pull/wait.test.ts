import { expect, test } from 'vitest'
import { createChanges, createGate, within } from '../../../src/p2p/pull/wait.ts'
import { clock, never } from './stage.ts'

test('a gate lets in as much as it holds, in order', async () => {
  const gate = createGate(10)
  const order: string[] = []
  const leave = await gate.enter(8, never)
  const large = gate.enter(7, never).then(() => order.push('large'))
  const small = gate.enter(2, never).then(() => order.push('small'))
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(order).toEqual([])
  leave()
  leave()
  await Promise.all([large, small])
  expect(order).toEqual(['large', 'small'])
})

test('who gives up waiting keeps nobody behind it', async () => {
  const gate = createGate(1)
  await gate.enter(1, never)
  const impatient = new AbortController()
  const first = gate.enter(1, impatient)
  impatient.abort(new Error('enough'))
  await expect(first).rejects.toThrow('enough')
  await expect(gate.enter(1, { signal: AbortSignal.abort(new Error('never')) })).rejects.toThrow('never')
})

test('more than all counts as all', async () => {
  const gate = createGate(4)
  const leave = await gate.enter(100, never)
  const next = gate.enter(1, never)
  leave()
  await next
})

test('a change wakes all who wait, and time wakes who is told nothing', async () => {
  const changes = createChanges(clock)
  const waiting = [changes.next(60_000, never), changes.next(60_000, never)]
  changes.tell()
  await Promise.all(waiting)
  await changes.next(1, never)
  await changes.next(60_000, { signal: AbortSignal.abort() })
})

test('work ends with its time, with its signal, or by itself', async () => {
  const hang = ({ signal }: { readonly signal: AbortSignal }) =>
    new Promise<never>((_, reject) => {
      if (signal.aborted) reject(signal.reason)
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  await expect(within({ clock, ms: 1, ...never }, hang)).rejects.toThrow('not done within 1 ms')
  const signal = AbortSignal.abort(new Error('stop'))
  await expect(within({ clock, ms: 60_000, signal }, hang)).rejects.toThrow('stop')
  expect(await within({ clock, ms: 60_000, ...never }, async () => 7)).toBe(7)
})
