import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { LossesCall } from '../../../src/gpu/worker/call.ts'
import { createEngines, type Engines } from '../../../src/gpu/worker/engine.ts'
import { numbersOf } from '../graph/op-case.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const OPTIONS = { engines: 1, threads: 1, tokensPerRun: 32, cacheBytesMax: 2 ** 20 } as const
const next = numbersOf(4)
const CALL: LossesCall = {
  kind: 'losses',
  directory: join(ROOT, 'test', 'fixtures', 'models', 'mixtral'),
  open: [],
  changes: [],
  samples: 'some',
  sequences: Array.from({ length: 8 }, () => Uint32Array.from({ length: 9 }, () => Math.floor((next() + 1) * 20))),
  checkpoints: [4],
}
const never = new AbortController().signal

let engines: Engines
const start = (entry = join(ROOT, 'src', 'cli', 'engine-main.ts'), count = 1) => {
  engines = createEngines({ ...OPTIONS, engines: count, entry })
}
afterEach(() => engines.stop())

describe('engines', () => {
  test('answer the same bits again, one call after the other, and ask at checkpoints', async () => {
    start()
    const [a, b] = await Promise.all([engines.call(CALL, { signal: never }), engines.call(CALL, { signal: never })])
    expect(a).toEqual(b)
    const few = await engines.call(CALL, { signal: never, goOn: (losses) => losses.length < 4 })
    expect(few).toEqual(a.slice(0, 4))
  })

  test('a call that is aborted while it computes costs nobody else an answer', async () => {
    start()
    const gone = new AbortController()
    const goOn = () => {
      gone.abort(new Error('over'))
      return true
    }
    const aborted = engines.call(CALL, { signal: gone.signal, goOn })
    const next = engines.call(CALL, { signal: never })
    await expect(aborted).rejects.toThrow('over')
    expect(await next).toHaveLength(8)
  })

  test('a call that is aborted before its turn is never begun', async () => {
    start()
    const gone = new AbortController()
    const first = engines.call(CALL, { signal: never })
    const second = engines.call(CALL, { signal: gone.signal })
    gone.abort(new Error('nobody wants it'))
    await expect(second).rejects.toThrow('nobody wants it')
    expect(await first).toHaveLength(8)
  })

  test('a refusal comes back in words, and the process goes on', async () => {
    start()
    const nowhere = engines.call({ ...CALL, directory: '/nowhere' }, { signal: never })
    await expect(nowhere).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    expect(await engines.call(CALL, { signal: never })).toHaveLength(8)
  })

  test('a process that dies says why, with its last words', async () => {
    start(join(import.meta.dirname, 'dying-engine.ts'))
    await expect(engines.call(CALL, { signal: never })).rejects.toMatchObject({
      code: 'ENGINE_DIED',
      why: expect.stringContaining('its last words'),
    })
  })
})
