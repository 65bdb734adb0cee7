/** Where a connection comes from, as far as it tells operators apart: by the address that they pay for, or by the relay. */
import type { Multiaddr } from '@multiformats/multiaddr'

/** An IPv4 address, the half of an IPv6 one that its owner has not chosen, the name of a host, or a relay's peer id. */
export function originOf(address: Multiaddr): string | null {
  const components = address.getComponents()
  const circuit = components.findIndex(({ name }) => name === 'p2p-circuit')
  if (circuit > 0) return components[circuit - 1]?.value ?? null
  const [first] = components
  if (first?.name !== 'ip6') return first?.value ?? null
  const [before = '', after = ''] = (first.value ?? '').split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const [head, tail] = [groups(before), groups(after)]
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0')
  return [...head, ...zeros, ...tail].slice(0, 4).join(':')
}
