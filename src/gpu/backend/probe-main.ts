/**
 * The child's side of a probe: computes on one device, says what came of it in one line, and ends. Whatever happens to it
 * besides is an answer, too.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { NodeError } from '../../errors.ts'
import { createBuilder } from '../graph/build.ts'
import type { Device } from './device.ts'
import type { ProbeAnswer } from './probe.ts'
import { checkDevice } from './self-check.ts'
import { createSession } from './session.ts'

/** Products one after the other, as large as those of a model of some size: 4.3 billion multiplications and additions. */
const [ROWS, WIDTH, PRODUCTS] = [256, 1024, 8]
/** Whoever is as slow as this is not made to do all of it. */
const SLOW_MS = 500

async function measure(device: Device): Promise<number> {
  const b = createBuilder()
  const weights = b.numbers(new Float32Array(WIDTH * WIDTH).fill(1 / WIDTH), [WIDTH, WIDTH])
  let x = b.input('x', { dtype: 'f32', shape: ['rows', WIDTH] })
  for (let i = 0; i < PRODUCTS; i++) x = b.linear(x, weights)
  b.output('y', b.sum(x, [0, 1]))
  const session = await createSession(b.finish(), { device, threads: availableParallelism() })
  const timed = async (rows: number): Promise<number> => {
    const x = { dtype: 'f32', shape: [rows, WIDTH], data: new Float32Array(rows * WIDTH) } as const
    const begunMs = performance.now()
    await session.run(new Map([['x', x]]))
    return performance.now() - begunMs
  }
  let ms = 0
  for (const rows of [ROWS / 16, ROWS]) {
    await timed(rows) // what is to be compiled is compiled now
    ms = (await timed(rows)) * (ROWS / rows)
    if (ms > SLOW_MS) break
  }
  return ms
}

async function answer(device: Device): Promise<ProbeAnswer> {
  try {
    return { works: true, agreement: await checkDevice(device), ms: await measure(device) }
  } catch (error) {
    const { why, remedy } = error instanceof NodeError ? error : { why: String(error), remedy: null }
    return { works: false, why, remedy }
  }
}

const [device] = parseArgs({ allowPositionals: true }).positionals
console.log(JSON.stringify(await answer(device as Device)))
