/**
 * An engine on its own side: one call after the other. What computes is loaded with the first call that needs it.
 */
import { NodeError } from '../../errors.ts'
import type { Call, EngineOptions, FromEngine, ToEngine } from './call.ts'
import { JOBS } from './jobs.ts'

/** `hear` gives what the other side says, one message after the other. */
export function serveEngine(
  say: (message: FromEngine) => void,
  hear: (listener: (message: ToEngine) => void) => void,
): void {
  let host: ReturnType<typeof createHost> | null = null
  hear((message) => {
    if (message.say === 'begin') host = createHost(message.options, say)
    else host?.hear(message)
  })
}

function createHost(options: EngineOptions, say: (message: FromEngine) => void) {
  const network = once(async () => {
    const { createScorers, losses, train } = await import('./network-call.ts')
    return { scorers: createScorers(options), losses, train }
  })
  /** Asked between two chunks; replaced by every question. */
  let answered: (goOn: boolean) => void = () => undefined
  let enough = new AbortController()
  const ask = (losses: readonly number[]): Promise<boolean> =>
    new Promise((resolve) => {
      answered = resolve
      say({ say: 'asked', losses })
    })
  const work = async (call: Call): Promise<unknown> => {
    if (call.kind === 'job') {
      const job = (await JOBS[call.name]()) as (task: unknown, tell: (told: unknown) => void) => Promise<unknown>
      return job(call.task, (told) => say({ say: 'told', told }))
    }
    const { scorers, losses, train } = await network()
    return call.kind === 'losses' ? losses(scorers, call, ask) : train(options, call, enough.signal)
  }
  const serve = async (call: Call): Promise<void> => {
    enough = new AbortController()
    try {
      say({ say: 'done', result: await work(call) })
    } catch (error) {
      if (!(error instanceof NodeError)) throw error
      const { code, what, why, remedy, data } = error
      say({ say: 'failed', failure: { code, what, why, remedy, data } })
    }
  }
  return {
    hear: (message: Exclude<ToEngine, { say: 'begin' }>): void => {
      if (message.say === 'call') void serve(message.call)
      else if (message.say === 'answer') answered(message.goOn)
      else enough.abort()
    },
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null
  return () => {
    made ??= make()
    return made
  }
}
