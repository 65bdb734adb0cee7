/**
 * Addresses that a peer claims: multiaddrs in text, judged before anything is dialled.
 *
 * A hostile card could point at a third party or into somebody's private network, so only plain transports to public
 * hosts pass, unless the network is a laptop's. Names are resolved later; the dialler judges the result again.
 */
import { ADDRESS_CHARS_MAX } from './limits.ts'
import { text } from './schema.ts'

export const addressShape = text(
  new RegExp(`^/[\\x21-\\x7e]{1,${ADDRESS_CHARS_MAX - 1}}$`),
  `a multiaddr of at most ${ADDRESS_CHARS_MAX} characters`,
)

const HOST =
  /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/([1-9]\d{0,4})(\/(?:tls|ws|wss|tls\/ws))?(\/p2p\/[A-Za-z0-9]+)?(\/p2p-circuit)?$/
/** Without leading zeros: some programs read those as octal, and 012.0.0.1 would be two hosts. */
const IP4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/
const IP6 = /^[0-9a-f:]{2,39}$/
const DNS = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,58}[a-z0-9])$/
/** Names that mean something on one machine or in one network only (IANA special-use domain names, and home routers). */
const PRIVATE_DNS = /\.(?:local|localhost|localdomain|internal|lan|home|corp|arpa|test|example|invalid|onion|alt)$/

/** Private, loopback, link-local, shared, test, multicast and reserved ranges (IANA special-purpose registries). */
const PRIVATE_IP4: readonly (readonly [prefix: number, bits: number])[] = [
  [0x00000000, 8],
  [0x0a000000, 8],
  [0x64400000, 10],
  [0x7f000000, 8],
  [0xa9fe0000, 16],
  [0xac100000, 12],
  [0xc0000000, 24],
  [0xc0000200, 24],
  [0xc0586300, 24],
  [0xc0a80000, 16],
  [0xc6120000, 15],
  [0xc6336400, 24],
  [0xcb007100, 24],
  [0xe0000000, 3],
]

/** May this address be dialled? `privateAllowed` only in networks that live on one machine or one test bench. */
export function isDialable(address: string, privateAllowed: boolean): boolean {
  if (address.length > ADDRESS_CHARS_MAX) return false
  const match = HOST.exec(address)
  if (match === null) return false
  const [, kind, host, port, , peer, circuit] = match
  if (host === undefined || Number(port) > 65_535) return false
  if (circuit !== undefined && peer === undefined) return false
  if (kind === 'ip4') return IP4.test(host) && (privateAllowed || isPublicIp4(host))
  if (kind === 'ip6') return isDialableIp6(host, privateAllowed)
  return privateAllowed ? DNS.test(host) || host === 'localhost' : DNS.test(host) && !PRIVATE_DNS.test(host)
}

function isPublicIp4(host: string): boolean {
  const number = host.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  return !PRIVATE_IP4.some(
    ([prefix, bits]) => Math.floor(number / 2 ** (32 - bits)) === Math.floor(prefix / 2 ** (32 - bits)),
  )
}

/**
 * Public IPv6 is 2000::/3 without protocol assignments (2001::/23, with Teredo), documentation (2001:db8::/32, 3fff::/20)
 * and 6to4 (2002::/16), which like Teredo embeds IPv4 of any kind.
 */
function isDialableIp6(host: string, privateAllowed: boolean): boolean {
  if (!IP6.test(host)) return false
  const groups = host.split(':')
  const given = groups.filter((group) => group !== '').length
  if (host.includes('::') ? given > 7 : given !== 8) return false
  if (host.indexOf('::') !== host.lastIndexOf('::') || groups.some((group) => group.length > 4)) return false
  if (/^:[^:]|[^:]:$/.test(host)) return false
  if (privateAllowed) return true
  const first = Number.parseInt(groups[0] || '0', 16)
  const second = Number.parseInt(groups[1] || '0', 16)
  const isReserved =
    first === 0x2002 ||
    (first === 0x2001 && (second < 0x200 || second === 0xdb8)) ||
    (first === 0x3fff && second < 0x1000)
  return first >= 0x2000 && first <= 0x3fff && !isReserved
}
