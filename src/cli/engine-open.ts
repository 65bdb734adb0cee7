/** Engines as the commands start them: where their program lies, as sources or as published. */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { JobCall, ResultOfCall } from '../gpu/worker/call.ts'
import { createEngines, type Engines, type EnginesOptions } from '../gpu/worker/engine.ts'
import type { ToldOf } from '../gpu/worker/jobs.ts'

const ENTRY = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './engine-main.ts' : './engine-main.js', import.meta.url),
)

export const openEngines = (options: Omit<EnginesOptions, 'entry'>): Engines =>
  createEngines({ ...options, entry: ENTRY })

/** One job in an engine of its own. */
export async function runJob<C extends JobCall>(
  call: C,
  { signal, tell }: { readonly signal: AbortSignal; readonly tell: (told: ToldOf<C['name']>) => void },
): Promise<ResultOfCall<C>> {
  const engines = openEngines({ engines: 1, threads: availableParallelism(), tokensPerRun: 1, cacheBytesMax: 0 })
  try {
    return await engines.call(call, { signal, tell: tell as (told: unknown) => void })
  } finally {
    await engines.stop()
  }
}
