import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressShape, isDialable } from '../../src/protocol/address.ts'
import { ADDRESS_CHARS_MAX } from '../../src/protocol/limits.ts'
import { Flaw } from '../../src/protocol/schema.ts'

const PEER = '12D3KooWM9jNUMaZvCGPcR4YGQVXK9w8E2X5UMhbovs1D6pg9Rak'

describe('everybody may dial', () => {
  test.each([
    '/ip4/1.1.1.1/tcp/1',
    '/ip4/8.8.8.8/tcp/4001',
    '/ip4/8.8.8.8/tcp/65535',
    '/ip4/1.0.0.0/tcp/4001',
    '/ip4/9.255.255.255/tcp/4001',
    '/ip4/11.0.0.0/tcp/4001',
    '/ip4/100.63.255.255/tcp/4001',
    '/ip4/100.128.0.0/tcp/4001',
    '/ip4/126.255.255.255/tcp/4001',
    '/ip4/128.0.0.0/tcp/4001',
    '/ip4/169.253.255.255/tcp/4001',
    '/ip4/169.255.0.0/tcp/4001',
    '/ip4/172.15.255.255/tcp/4001',
    '/ip4/172.32.0.0/tcp/4001',
    '/ip4/191.255.255.255/tcp/4001',
    '/ip4/192.0.1.0/tcp/4001',
    '/ip4/192.0.3.0/tcp/4001',
    '/ip4/192.88.98.255/tcp/4001',
    '/ip4/192.88.100.0/tcp/4001',
    '/ip4/192.167.255.255/tcp/4001',
    '/ip4/192.169.0.0/tcp/4001',
    '/ip4/198.17.255.255/tcp/4001',
    '/ip4/198.20.0.0/tcp/4001',
    '/ip4/198.51.99.255/tcp/4001',
    '/ip4/198.51.101.0/tcp/4001',
    '/ip4/203.0.112.255/tcp/4001',
    '/ip4/203.0.114.0/tcp/4001',
    '/ip4/223.255.255.255/tcp/4001',
    '/ip6/2001:200::1/tcp/4001',
    '/ip6/2001:4860:4860::8888/tcp/4001',
    '/ip6/2001:4860:4860:0:0:0:0:8888/tcp/4001',
    '/ip6/2606:4700::1111/tcp/4001',
    '/ip6/2a00::/tcp/4001',
    '/ip6/2003:2:3:4:5:6:7:8/tcp/4001',
    '/ip6/2003:2:3:4:5:6:7::/tcp/4001',
    '/ip6/3ffe::1/tcp/4001',
    '/ip6/3fff:1000::1/tcp/4001',
    '/dns/example.com/tcp/4001',
    '/dns4/peer.wheelwright.net/tcp/443/wss',
    '/dns6/a.b.c.d.example.org/tcp/443/tls/ws',
    '/dns4/xn--bcher-kva.de/tcp/80/ws',
    '/dns4/xn--e1aybc.xn--p1ai/tcp/80',
    '/dns4/1.2.3.4.example.net/tcp/80',
    '/dns4/a-b--c.com/tcp/80',
    `/dns4/${'a'.repeat(63)}.com/tcp/80`,
    '/ip4/8.8.8.8/tcp/4001/ws',
    '/ip4/8.8.8.8/tcp/4001/tls',
    `/ip4/8.8.8.8/tcp/4001/p2p/${PEER}`,
    `/ip4/8.8.8.8/tcp/443/wss/p2p/${PEER}/p2p-circuit`,
  ])('%s', (address) => {
    expect(isDialable(address, false)).toBe(true)
    expect(isDialable(address, true)).toBe(true)
    expect(addressShape.read(address, 'x', 'wire')).toBe(address)
  })
})

describe('only a laptop may dial', () => {
  test.each([
    '/ip4/0.0.0.0/tcp/4001',
    '/ip4/0.255.255.255/tcp/4001',
    '/ip4/10.0.0.0/tcp/4001',
    '/ip4/10.255.255.255/tcp/4001',
    '/ip4/100.64.0.0/tcp/4001',
    '/ip4/100.127.255.255/tcp/4001',
    '/ip4/127.0.0.1/tcp/4001',
    '/ip4/127.255.255.255/tcp/4001',
    '/ip4/169.254.0.0/tcp/4001',
    '/ip4/169.254.169.254/tcp/80',
    '/ip4/172.16.0.0/tcp/4001',
    '/ip4/172.31.255.255/tcp/4001',
    '/ip4/192.0.0.1/tcp/4001',
    '/ip4/192.0.2.1/tcp/4001',
    '/ip4/192.88.99.1/tcp/4001',
    '/ip4/192.168.0.0/tcp/4001',
    '/ip4/192.168.255.255/tcp/4001',
    '/ip4/198.18.0.0/tcp/4001',
    '/ip4/198.19.255.255/tcp/4001',
    '/ip4/198.51.100.1/tcp/4001',
    '/ip4/203.0.113.255/tcp/4001',
    '/ip4/224.0.0.1/tcp/4001',
    '/ip4/239.255.255.255/tcp/4001',
    '/ip4/240.0.0.0/tcp/4001',
    '/ip4/255.255.255.255/tcp/4001',
    '/ip6/::/tcp/4001',
    '/ip6/::1/tcp/4001',
    '/ip6/0:0:0:0:0:0:0:1/tcp/4001',
    '/ip6/::a00:1/tcp/4001',
    '/ip6/::ffff:a00:1/tcp/4001',
    '/ip6/::ffff:7f00:1/tcp/4001',
    '/ip6/::ffff:808:808/tcp/4001',
    '/ip6/64:ff9b::a00:1/tcp/4001',
    '/ip6/64:ff9b:1::1/tcp/4001',
    '/ip6/100::1/tcp/4001',
    '/ip6/1fff:ffff::1/tcp/4001',
    '/ip6/2001::1/tcp/4001',
    '/ip6/2001:0:1::1/tcp/4001',
    '/ip6/2001:2::1/tcp/4001',
    '/ip6/2001:20::1/tcp/4001',
    '/ip6/2001:1ff::1/tcp/4001',
    '/ip6/2001:db8::1/tcp/4001',
    '/ip6/2001:0db8::1/tcp/4001',
    '/ip6/2002:a00:1::1/tcp/4001',
    '/ip6/2002:808:808::1/tcp/4001',
    '/ip6/3fff::1/tcp/4001',
    '/ip6/3fff:fff::1/tcp/4001',
    '/ip6/4000::1/tcp/4001',
    '/ip6/5f00::1/tcp/4001',
    '/ip6/fc00::1/tcp/4001',
    '/ip6/fd12:3456:789a:1::1/tcp/4001',
    '/ip6/fe80::1/tcp/4001',
    '/ip6/fec0::1/tcp/4001',
    '/ip6/ff02::1/tcp/4001',
    '/dns4/localhost/tcp/4001',
    '/dns4/peer.localhost/tcp/4001',
    '/dns4/printer.local/tcp/4001',
    '/dns4/db.internal/tcp/4001',
    '/dns4/router.home.arpa/tcp/4001',
    '/dns4/peer.test/tcp/4001',
    '/dns4/expyuzz4wqqyqhjn.onion/tcp/4001',
  ])('%s', (address) => {
    expect(isDialable(address, false)).toBe(false)
    expect(isDialable(address, true)).toBe(true)
  })
})

const long = (part: string) => part.repeat(ADDRESS_CHARS_MAX).slice(0, ADDRESS_CHARS_MAX - 30)

describe('nobody may dial', () => {
  test.each([
    ['nothing', ''],
    ['a slash', '/'],
    ['a host and a port', '8.8.8.8:4001'],
    ['a URL', 'https://example.com/'],
    ['port 0', '/ip4/8.8.8.8/tcp/0'],
    ['port 65536', '/ip4/8.8.8.8/tcp/65536'],
    ['port 99999', '/ip4/8.8.8.8/tcp/99999'],
    ['a port of six digits', '/ip4/8.8.8.8/tcp/100000'],
    ['a port with a leading zero', '/ip4/8.8.8.8/tcp/080'],
    ['a negative port', '/ip4/8.8.8.8/tcp/-1'],
    ['a port with an exponent', '/ip4/8.8.8.8/tcp/1e3'],
    ['digits of another script', '/ip4/8.8.8.8/tcp/٤٠٠١'],
    ['no port', '/ip4/8.8.8.8/tcp/'],
    ['no transport', '/ip4/8.8.8.8'],
    ['UDP', '/ip4/8.8.8.8/udp/4001/quic-v1'],
    ['a pipe', '/unix/tmp/socket'],
    ['another transport behind', '/ip4/8.8.8.8/tcp/4001/http'],
    ['a slash behind', '/ip4/8.8.8.8/tcp/4001/'],
    ['no slash before', 'ip4/8.8.8.8/tcp/4001'],
    ['three bytes', '/ip4/8.8.8/tcp/4001'],
    ['five bytes', '/ip4/8.8.8.8.8/tcp/4001'],
    ['a byte of 256', '/ip4/8.8.8.256/tcp/4001'],
    ['a byte of 999', '/ip4/999.8.8.8/tcp/4001'],
    ['a leading zero, which some read as octal', '/ip4/012.0.0.1/tcp/4001'],
    ['two leading zeros', '/ip4/8.8.8.008/tcp/4001'],
    ['a leading zero before one digit', '/ip4/01.8.8.8/tcp/4001'],
    ['hexadecimal', '/ip4/0x08.8.8.8/tcp/4001'],
    ['one number', '/ip4/134744072/tcp/4001'],
    ['an empty byte', '/ip4/8..8.8/tcp/4001'],
    ['a dot behind', '/ip4/8.8.8.8./tcp/4001'],
    ['a dot before', '/ip4/.8.8.8.8/tcp/4001'],
    ['a mask', '/ip4/8.8.8.8/ipcidr/24/tcp/4001'],
    ['IPv6 as IPv4', '/ip4/2606:4700::1/tcp/4001'],
    ['IPv4 as IPv6', '/ip6/8.8.8.8/tcp/4001'],
    ['a mapped IPv4 with dots', '/ip6/::ffff:10.0.0.1/tcp/4001'],
    ['a public one too', '/ip6/::ffff:8.8.8.8/tcp/4001'],
    ['a zone', '/ip6/fe80::1%eth0/tcp/4001'],
    ['a zone in its own part', '/ip6zone/eth0/ip6/fe80::1/tcp/4001'],
    ['brackets', '/ip6/[2606:4700::1]/tcp/4001'],
    ['two gaps', '/ip6/2606::4700::1/tcp/4001'],
    ['a gap of three colons', '/ip6/2606:::1/tcp/4001'],
    ['seven groups', '/ip6/2606:1:2:3:4:5:6/tcp/4001'],
    ['nine groups', '/ip6/2606:1:2:3:4:5:6:7:8/tcp/4001'],
    ['eight groups and a gap', '/ip6/2606::1:2:3:4:5:6:7/tcp/4001'],
    ['a gap behind eight groups', '/ip6/2606:1:2:3:4:5:6:7::/tcp/4001'],
    ['a group of five digits', '/ip6/26060::1/tcp/4001'],
    ['a colon before', '/ip6/:2606:1:2:3:4:5:6:7/tcp/4001'],
    ['a colon behind', '/ip6/2606:1:2:3:4:5:6:7:/tcp/4001'],
    ['colons alone', '/ip6/::::::::/tcp/4001'],
    ['upper case', '/ip6/2606:4700::ABCD/tcp/4001'],
    ['a name without a dot', '/dns4/example/tcp/4001'],
    ['a name that is an address', '/dns4/10.0.0.1/tcp/4001'],
    ['a name that ends in a number', '/dns4/example.1/tcp/4001'],
    ['a name in upper case', '/dns4/EXAMPLE.com/tcp/4001'],
    ['a name with a dot behind', '/dns4/example.com./tcp/4001'],
    ['a name with an empty label', '/dns4/example..com/tcp/4001'],
    ['a name with a hyphen before', '/dns4/-a.com/tcp/4001'],
    ['a name with a hyphen behind', '/dns4/a-.com/tcp/4001'],
    ['a name with an underscore', '/dns4/_dnsaddr.example.com/tcp/4001'],
    ['a label of 64 letters', `/dns4/${'a'.repeat(64)}.com/tcp/4001`],
    ['a record of addresses', '/dnsaddr/example.com'],
    ['a letter outside ASCII', '/dns4/exämple.com/tcp/4001'],
    ['an escaped host', '/dns4/example%2ecom/tcp/4001'],
    ['an empty host', '/dns4//tcp/4001'],
    ['a circuit without its relay', '/ip4/8.8.8.8/tcp/4001/p2p-circuit'],
    ['two circuits', `/ip4/8.8.8.8/tcp/1/p2p/${PEER}/p2p-circuit/p2p-circuit`],
    ['an empty peer', '/ip4/8.8.8.8/tcp/4001/p2p/'],
    ['two addresses', '/ip4/8.8.8.8/tcp/4001/ip4/10.0.0.1/tcp/80'],
    ['two addresses on two lines', '/ip4/8.8.8.8/tcp/4001\n/ip4/10.0.0.1/tcp/80'],
    ['a line end', '/ip4/8.8.8.8/tcp/4001\n'],
    ['a zero byte', '/ip4/8.8.8.8\0/tcp/4001'],
    ['a control character', '/dns4/exam\u0007ple.com/tcp/4001'],
    ['a space', '/ip4/8.8.8.8 /tcp/4001'],
    ['too many characters', `/dns4/${'a.'.repeat(130)}com/tcp/4001`],
    ['what every object inherits', 'constructor'],
  ])('%s', (_, address) => {
    expect(isDialable(address, false)).toBe(false)
    expect(isDialable(address, true)).toBe(false)
  })
})

test.each([
  ['labels without an end', `/dns4/${long('a.')}!/tcp/1`],
  ['hyphens without an end', `/dns4/${long('a-')}/tcp/1`],
  ['one label', `/dns4/${long('a')}/tcp/1`],
  ['dots', `/dns4/${long('.')}/tcp/1`],
  ['bytes of an address', `/ip4/${long('1.')}/tcp/1`],
  ['digits of an address', `/ip4/${long('1')}/tcp/1`],
  ['colons', `/ip6/${long(':')}/tcp/1`],
  ['groups', `/ip6/${long('f:')}/tcp/1`],
  ['slashes', long('/')],
  ['parts', long('/ip4/1/tcp/1')],
  ['peers', `/ip4/8.8.8.8/tcp/1${long(`/p2p/${PEER}`)}`.slice(0, ADDRESS_CHARS_MAX)],
])('no text of full length keeps the judge busy: %s', (_, address) => {
  for (let i = 0; i < 2_000; i++) isDialable(address, i % 2 === 0)
  expect(isDialable(address, true)).toBe(false)
})

test('an address beyond its length is no address, however long', () => {
  const longest = `/${'a'.repeat(ADDRESS_CHARS_MAX - 1)}`
  expect(addressShape.read(longest, 'x', 'wire')).toBe(longest)
  for (const address of [`${longest}a`, '/a\n', '/', 'a', '/ä', '/a b', `/${'a'.repeat(5_000_000)}`]) {
    expect(addressShape.read(address, 'x', 'wire')).toEqual(
      new Flaw('x', 'must be a multiaddr of at most 256 characters'),
    )
    expect(isDialable(address, true)).toBe(false)
  }
})

test('a public address is one for a laptop too, and no text throws', () => {
  const part = fc.constantFrom(
    'ip4',
    'ip6',
    'dns4',
    'tcp',
    'ws',
    'p2p',
    'p2p-circuit',
    '1.2.3.4',
    '::1',
    'a.com',
    '80',
    PEER,
  )
  const texts = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 8 }).map((parts) => `/${parts.join('/')}`),
  )
  fc.assert(
    fc.property(texts, (address) => {
      const [isPublic, isLocal] = [isDialable(address, false), isDialable(address, true)]
      expect(isPublic && !isLocal).toBe(false)
      if (isLocal) expect(addressShape.read(address, 'x', 'wire')).toBe(address)
    }),
    { numRuns: 1_000 },
  )
})

test('every IPv4 address of four bytes is one, and is public exactly outside the private ranges', () => {
  const isPrivate = ([a, b, c]: readonly number[]): boolean => {
    const [first, second, third] = [a ?? 0, b ?? 0, c ?? 0]
    if ([0, 10, 127].includes(first) || first >= 224) return true
    const two = `${first}.${second}`
    if (first === 100 && second >= 64 && second < 128) return true
    if (first === 172 && second >= 16 && second < 32) return true
    if (['169.254', '192.168', '198.18', '198.19'].includes(two)) return true
    return ['192.0.0', '192.0.2', '192.88.99', '198.51.100', '203.0.113'].includes(`${two}.${third}`)
  }
  const byte = fc.oneof(
    fc.nat({ max: 255 }),
    fc.constantFrom(0, 10, 88, 99, 100, 113, 127, 168, 169, 172, 192, 198, 203, 254),
  )
  fc.assert(
    fc.property(fc.tuple(byte, byte, byte, byte), (bytes) => {
      const address = `/ip4/${bytes.join('.')}/tcp/4001`
      expect(isDialable(address, true)).toBe(true)
      expect(isDialable(address, false)).toBe(!isPrivate(bytes))
    }),
    { numRuns: 1_000 },
  )
})
