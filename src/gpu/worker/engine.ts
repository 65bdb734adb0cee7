/**
 * Engines: processes that compute, one call each at a time, and a queue before them.
 *
 * Processes and not threads: a thread that is ended inside onnxruntime takes the whole node with it, and so does whatever
 * aborts in native code. A call that is aborted while it computes takes its process with it: a hang costs one submission its
 * turn, and the next call gets a new process.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { NodeError } from '../../errors.ts'
import type { Call, EngineOptions, FromEngine, ResultOfCall, ToEngine } from './call.ts'

export type Engines = {
  readonly call: <C extends Call>(call: C, hooks: Hooks) => Promise<ResultOfCall<C>>
  readonly stop: () => Promise<void>
}
export type Hooks = {
  readonly signal: AbortSignal
  readonly goOn?: (losses: readonly number[]) => boolean
  readonly enough?: AbortSignal
  readonly tell?: (told: unknown) => void
}
export type EnginesOptions = EngineOptions & {
  /** The program that calls `serveEngine`. */
  readonly entry: string
  readonly engines: number
}

/** Calls that wait: a validator asks one at a time, a laptop's network has a dozen nodes. */
const WAITING_MAX = 256
/** The last lines that a process wrote before it died say why. */
const STDERR_CHARS_MAX = 400

type Engine = { readonly child: ChildProcess; readonly stderr: () => string }

export function createEngines({ entry, engines, ...options }: EnginesOptions): Engines {
  const idle: Engine[] = []
  const waiting: ((engine: Engine) => void)[] = []
  const all = new Set<Engine>()
  let isStopped = false

  const start = (): Engine => {
    const engine = startEngine(entry, options)
    engine.child.once('exit', () => {
      all.delete(engine)
      if (idle.includes(engine)) idle.splice(idle.indexOf(engine), 1)
    })
    all.add(engine)
    return engine
  }
  const giveBack = (engine: Engine): void => {
    const next = waiting.shift()
    if (next === undefined) idle.push(engine)
    else next(engine)
  }
  const discard = (engine: Engine): void => {
    all.delete(engine)
    engine.child.kill('SIGKILL')
    if (!isStopped && waiting.length > 0) giveBack(start())
  }
  const take = (signal: AbortSignal): Promise<Engine> => {
    const free = idle.pop() ?? (all.size < engines ? start() : undefined)
    return free === undefined ? waitIn(waiting, signal) : Promise.resolve(free)
  }
  return {
    call: async (call, hooks) => {
      hooks.signal.throwIfAborted()
      const engine = await take(hooks.signal)
      try {
        const result = await converse(engine, call, hooks)
        giveBack(engine)
        return result
      } catch (error) {
        // A refusal in words leaves a sound process behind; everything else may not.
        if (error instanceof NodeError && error.code !== 'ENGINE_DIED') giveBack(engine)
        else discard(engine)
        throw error
      }
    },
    stop: async () => {
      isStopped = true
      const ended = [...all].map(({ child }) => new Promise((resolve) => child.once('exit', resolve)))
      for (const { child } of all) child.kill('SIGKILL')
      await Promise.all(ended)
    },
  }
}

function startEngine(entry: string, options: EngineOptions): Engine {
  const child = fork(entry, [], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_CHARS_MAX)
  })
  child.on('error', () => undefined) // whoever waits for it hears of its end
  tell(child, { say: 'begin', options })
  return { child, stderr: () => stderr.trim() }
}

function waitIn(waiting: ((engine: Engine) => void)[], signal: AbortSignal): Promise<Engine> {
  if (waiting.length >= WAITING_MAX) {
    throw new NodeError('ENGINE_DIED', {
      what: 'the engine has too much to do',
      why: `${WAITING_MAX} calls wait already`,
    })
  }
  return new Promise((resolve, reject) => {
    const turn = (engine: Engine): void => {
      signal.removeEventListener('abort', leave)
      resolve(engine)
    }
    const leave = (): void => {
      waiting.splice(waiting.indexOf(turn), 1)
      reject(signal.reason)
    }
    waiting.push(turn)
    signal.addEventListener('abort', leave, { once: true })
  })
}

function converse<C extends Call>(engine: Engine, call: C, hooks: Hooks): Promise<ResultOfCall<C>> {
  const { child } = engine
  const { signal, enough } = hooks
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      child.off('message', heard).off('close', exited)
      signal.removeEventListener('abort', aborted)
      enough?.removeEventListener('abort', stopSoon)
      act()
    }
    const aborted = (): void => settle(() => reject(signal.reason))
    const stopSoon = (): void => tell(child, { say: 'enough' })
    const heard = (raw: unknown): void => {
      const message = raw as FromEngine
      if (message.say === 'asked') tell(child, { say: 'answer', goOn: hooks.goOn?.(message.losses) ?? true })
      else if (message.say === 'told') hooks.tell?.(message.told)
      else if (message.say === 'done') settle(() => resolve(message.result as ResultOfCall<C>))
      else settle(() => reject(new NodeError(message.failure.code, message.failure)))
    }
    const exited = (code: number | null, by: string | null): void =>
      settle(() => reject(died(engine.stderr() || `it ended with ${code ?? by}`)))
    child.on('message', heard).on('close', exited) // its last words have been read by then
    signal.addEventListener('abort', aborted, { once: true })
    enough?.addEventListener('abort', stopSoon, { once: true })
    tell(child, { say: 'call', call })
    if (enough?.aborted === true) stopSoon()
  })
}

/** Who is gone hears nothing; that it is gone is heard elsewhere. */
const tell = (child: ChildProcess, message: ToEngine): void => void child.send(message, () => undefined)

const died = (why: string): NodeError => new NodeError('ENGINE_DIED', { what: 'the engine stopped', why })
