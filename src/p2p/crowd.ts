/** One address gets a part of the room that a host has for connections, however many peers it claims to be. */
import type { Connection, Libp2p } from '@libp2p/interface'
import { CONNECTIONS_PER_ADDRESS } from './limits.ts'
import { originOf } from './origin.ts'

export function limitCrowds(host: Libp2p): void {
  host.addEventListener('connection:open', ({ detail: connection }) => {
    const origin = inboundOrigin(connection)
    if (origin === null) return
    const crowd = host.getConnections().filter((each) => inboundOrigin(each) === origin)
    if (crowd.length > CONNECTIONS_PER_ADDRESS) connection.abort(new Error('too many connections from one address'))
  })
}

const inboundOrigin = ({ direction, remoteAddr }: Connection): string | null =>
  direction === 'inbound' ? originOf(remoteAddr) : null
