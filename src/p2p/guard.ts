/**
 * Serves nothing to who is connected before it is known whether it stays, and says nothing to it: its streams wait, unread,
 * and no service hears that it is there.
 *
 * It is the first of a host's services, because those that follow register their protocols when they start.
 */
import type { StreamHandler, Topology } from '@libp2p/interface'
import type { KadDHTComponents } from '@libp2p/kad-dht'
import type { Admission } from './admission.ts'
import { HELLO_PROTOCOL } from './hello.ts'

/** By these it becomes known who somebody is. */
const FREE: ReadonlySet<string> = new Set([HELLO_PROTOCOL, '/ipfs/id/1.0.0'])

export const guardService =
  ({ admits, stays }: Pick<Admission, 'admits' | 'stays'>) =>
  ({ registrar }: Pick<KadDHTComponents, 'registrar'>): object => {
    const guarded =
      (handler: StreamHandler): StreamHandler =>
      async (stream, connection) => {
        if (!admits(connection.remotePeer.toString())) {
          stream.pause()
          if (!(await stays(connection))) return stream.abort(new Error('not admitted'))
          if (stream.readStatus === 'paused') stream.resume()
        }
        await handler(stream, connection)
      }
    const told = (topology: Topology): Topology => ({
      ...topology,
      onConnect: async (peer, connection) => {
        if (admits(peer.toString()) || (await stays(connection))) await topology.onConnect?.(peer, connection)
      },
    })
    const [handle, register] = [registrar.handle.bind(registrar), registrar.register.bind(registrar)]
    registrar.handle = (protocol, handler, options) =>
      handle(protocol, FREE.has(protocol) ? handler : guarded(handler), options)
    registrar.register = (protocol, topology, options) => register(protocol, told(topology), options)
    return {}
  }
