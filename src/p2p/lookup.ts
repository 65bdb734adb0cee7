/**
 * Names of hosts, resolved to public addresses alone: a card may name a host of its owner's, and what that name means is
 * its owner's to say, even an address inside somebody's private network.
 */
import dns, { type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { TCPSocketOptions } from '@libp2p/tcp'
import { isDialable } from '../protocol/address.ts'

type LookupAll = (
  name: string,
  options: dns.LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void

export const publicLookup =
  (lookup: LookupAll = dns.lookup): LookupFunction =>
  (name, options, done) =>
    lookup(name, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, [])
      const [first, ...others] = found.filter(({ address, family }) =>
        isDialable(`/ip${family}/${address}/tcp/1`, false),
      )
      if (first === undefined) return done(new Error(`${name} has no public address`), [])
      if (options.all === true) done(null, [first, ...others])
      else done(null, first.address, first.family)
    })

/** The transport hands on all that a socket takes, though its type names a part. */
export const publicNames = (): TCPSocketOptions & { readonly lookup: LookupFunction } => ({ lookup: publicLookup() })
