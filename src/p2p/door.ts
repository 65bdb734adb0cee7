/**
 * The door of a host that admits members alone: who comes in unknown is asked for its card at once, and stays or goes.
 *
 * Nothing is served to a stranger meanwhile: its streams wait until it is known. Who is connected is looked at again now and
 * then, because a card expires and a hotkey loses its registration.
 */
import type { Connection, Libp2p, StreamHandler } from '@libp2p/interface'
import type { Clock, Log } from '../ports.ts'
import type { Admission } from './admission.ts'
import type { Hello } from './hello.ts'
import type { Knocks } from './knocks.ts'
import { ROLL_CALL_MS } from './limits.ts'

export type DoorDeps = {
  readonly host: Libp2p
  readonly admission: Admission
  readonly knocks: Knocks
  readonly hello: Hello
  readonly clock: Clock
  readonly log: Log
}
export type Door = {
  /** The same handler, for members alone. */
  readonly guarded: (handler: StreamHandler) => StreamHandler
  readonly close: () => void
}

export function keepDoor({ host, admission, knocks, hello, clock, log }: DoorDeps): Door {
  const asked = new Map<string, Promise<boolean>>()
  let timer: unknown

  const openTo = ({ remotePeer }: Connection): Connection | undefined =>
    host.getConnections(remotePeer).find(({ status }) => status === 'open')
  const ask = async (connection: Connection, peer: string): Promise<boolean> => {
    let why = 'it has shown no card of a registered hotkey'
    try {
      await hello.ask(connection)
    } catch (error) {
      why = String(error)
      // Two that dial one another have two connections for a moment, and one of them is closed.
      const other = connection.status === 'open' ? undefined : openTo(connection)
      if (other !== undefined) await hello.ask(other).catch(() => undefined)
    }
    const isAdmitted = admission.admits(peer)
    const isGone = connection.status !== 'open' && openTo(connection) === undefined
    knocks.over(peer, isAdmitted ? 'admitted' : isGone ? 'gone' : 'refused')
    if (isAdmitted || isGone) return isAdmitted
    log.debug('a peer was not admitted', { peer, address: connection.remoteAddr.toString(), why })
    for (const each of host.getConnections(connection.remotePeer)) each.abort(new Error('not admitted'))
    connection.abort(new Error('not admitted'))
    return false
  }
  const admit = (connection: Connection): Promise<boolean> => {
    const peer = connection.remotePeer.toString()
    if (admission.admits(peer)) return Promise.resolve(true)
    const asking = asked.get(peer) ?? ask(connection, peer).finally(() => asked.delete(peer))
    asked.set(peer, asking)
    return asking
  }
  const opened = ({ detail }: CustomEvent<Connection>): void => void admit(detail)
  const callRoll = (): void => {
    for (const connection of host.getConnections()) void admit(connection)
    timer = clock.setTimeout(callRoll, ROLL_CALL_MS)
  }
  host.addEventListener('connection:open', opened)
  callRoll()
  return {
    guarded: (handler) => async (stream, connection) => {
      if (await admit(connection)) await handler(stream, connection)
      else stream.abort(new Error('not admitted'))
    },
    close: () => {
      host.removeEventListener('connection:open', opened)
      clock.clearTimeout(timer)
    },
  }
}
