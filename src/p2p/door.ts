/**
 * The door of a host that admits members alone: who comes in unknown is asked for its card at once, and stays or goes.
 *
 * Nothing else is said with a stranger meanwhile (guard.ts). Who is connected is looked at again now and then, because a card
 * expires and a hotkey loses its registration.
 */
import type { Connection, Libp2p } from '@libp2p/interface'
import type { Clock, Log } from '../ports.ts'
import type { Admission } from './admission.ts'
import type { Hello } from './hello.ts'
import type { Knocks } from './knocks.ts'
import { HELLO_MS, LEAVE_MS, ROLL_CALL_MS } from './limits.ts'

export type DoorDeps = {
  readonly host: Libp2p
  readonly admission: Admission
  readonly knocks: Knocks
  readonly hello: Hello
  readonly clock: Clock
  readonly log: Log
}
export type Door = {
  /** True when who has connected stays, which it may have to be asked for. */
  readonly admit: (connection: Connection) => Promise<boolean>
  readonly close: () => void
}

export function keepDoor({ host, admission, knocks, hello, clock, log }: DoorDeps): Door {
  const asked = new Map<string, Promise<boolean>>()
  let timer: unknown

  const openTo = ({ remotePeer }: Connection): Connection | undefined =>
    host.getConnections(remotePeer).find(({ status }) => status === 'open')
  const ask = async (connection: Connection, peer: string): Promise<boolean> => {
    const startMs = clock.now()
    const tookMs = (): number => clock.now() - startMs
    let why = 'it has shown no card of a registered hotkey'
    try {
      await hello.ask(connection, HELLO_MS)
    } catch (error) {
      why = String(error)
      // Two that dial one another have two connections for a moment, and one of them is closed.
      const other = connection.status === 'open' ? undefined : openTo(connection)
      const leftMs = HELLO_MS - tookMs()
      if (other !== undefined && leftMs > 0) await hello.ask(other, leftMs).catch(() => undefined)
    }
    const isAdmitted = admission.admits(peer)
    // Who would leave just before it is sent away could come back at once.
    const isGone = tookMs() < LEAVE_MS && connection.status !== 'open' && openTo(connection) === undefined
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
    const open = connection.status === 'open' ? connection : openTo(connection)
    const asking = asked.get(peer) ?? (open && ask(open, peer).finally(() => asked.delete(peer)))
    // It was sent away, and somebody asks about it late.
    if (asking === undefined) return Promise.resolve(false)
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
    admit,
    close: () => {
      host.removeEventListener('connection:open', opened)
      clock.clearTimeout(timer)
    },
  }
}
