import { expect, test } from 'vitest'
import { createQueue } from '../../src/util/queue.ts'

test('work begins when the work before it has ended, however that ended', async () => {
  const queue = createQueue()
  const said: string[] = []
  const work = (name: string, end: Promise<unknown>) => async () => {
    said.push(`${name} begins`)
    await end
    said.push(`${name} ends`)
    return name
  }
  let release: () => void = () => undefined
  const first = queue(work('first', new Promise<void>((resolve) => (release = resolve))))
  const second = queue(work('second', Promise.reject(new Error('no'))))
  const third = queue(work('third', Promise.resolve()))
  await Promise.resolve()
  expect(said).toEqual(['first begins'])
  release()
  expect(await first).toBe('first')
  await expect(second).rejects.toThrow('no')
  expect(await third).toBe('third')
  expect(said).toEqual(['first begins', 'first ends', 'second begins', 'third begins', 'third ends'])
})
