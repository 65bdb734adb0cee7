/** Where a neuron can be reached. Loopback is refused, but only the one address of it that everybody writes. */
import type { CallSpec, Context, Fields } from '../../define.ts'
import { must, PALLET } from './error.ts'
import { type Guard, signed } from './guard.ts'
import * as s from './storage.ts'
import { isOver, isRegistered, now } from './subnet.ts'

const LOCALHOST_V4 = 0x7f000001n
const BROADCAST_V4 = 0xffff_ffffn
const LOCALHOST_V6 = 1n
const ALL_ONES_V6 = 2n ** 128n - 1n
const CERTIFICATE_BYTES_MAX = 65

function isValidAddress(type: number, address: bigint): boolean {
  if (type === 4) return address < BROADCAST_V4 && address !== LOCALHOST_V4
  return address !== ALL_ONES_V6 && address !== LOCALHOST_V6
}

const isValidType = (type: unknown) => type === 4 || type === 6

const inTime = (context: Context, netuid: number, lastServed = 0n): boolean =>
  isOver(context, lastServed, context.get(s.ServingRateLimit, netuid))

/** Zero is a valid address of an axon: some have nothing to serve. */
const mayServe: Guard = (context, who, args) => {
  const netuid = args['netuid'] as number
  must(isRegistered(context, netuid, who), 'HotKeyNotRegisteredInNetwork')
  must(isValidType(args['ip_type']), 'InvalidIpType')
  must(isValidAddress(args['ip_type'] as number, args['ip'] as bigint), 'InvalidIpAddress')
  must(inTime(context, netuid, context.get(s.Axons, netuid, who)?.block), 'ServingRateLimitExceeded')
  must(args['port'] !== 0, 'InvalidPort')
}

function serve(context: Context, who: string, args: Fields): void {
  const { netuid, certificate, ...axon } = args as Fields & {
    readonly netuid: number
    readonly certificate?: Uint8Array
  }
  if (certificate !== undefined && certificate.length > 0 && certificate.length <= CERTIFICATE_BYTES_MAX) {
    const [algorithm = 0] = certificate
    context.set(s.NeuronCertificates, [netuid, who], { public_key: certificate.slice(1), algorithm })
  }
  context.set(s.Axons, [netuid, who], { ...(axon as unknown as Axon), block: now(context) })
  context.emit(PALLET, 'AxonServed', { netuid, who })
}

type Axon = NonNullable<(typeof s.Axons)['fallback']>
type Prometheus = NonNullable<(typeof s.Prometheus)['fallback']>

const mayServePrometheus: Guard = (context, who, args) => {
  const netuid = args['netuid'] as number
  must(isValidType(args['ip_type']), 'InvalidIpType')
  const address = args['ip'] as bigint
  must(address !== 0n && isValidAddress(args['ip_type'] as number, address), 'InvalidIpAddress')
  must(isRegistered(context, netuid, who), 'HotKeyNotRegisteredInNetwork')
  must(inTime(context, netuid, context.get(s.Prometheus, netuid, who)?.block), 'ServingRateLimitExceeded')
  must(args['port'] !== 0, 'InvalidPort')
}

function servePrometheus(context: Context, who: string, args: Fields): void {
  const { netuid, ...info } = args as Fields & { readonly netuid: number }
  context.set(s.Prometheus, [netuid, who], { ...(info as unknown as Prometheus), block: now(context) })
  context.emit(PALLET, 'PrometheusServed', { netuid, who })
}

const ARGS = 'netuid: u16, version: u32, ip: u128, port: u16, ip_type: u8'
const AXON_ARGS = `${ARGS}, protocol: u8, placeholder1: u8, placeholder2: u8`

export const AXON_CALLS: readonly CallSpec[] = [
  { index: 4, name: 'serve_axon', args: AXON_ARGS, paysFee: false, ...signed(serve, mayServe) },
  {
    index: 40,
    name: 'serve_axon_tls',
    args: `${AXON_ARGS}, certificate: Vec<u8>`,
    paysFee: false,
    ...signed(serve, mayServe),
  },
  {
    index: 5,
    name: 'serve_prometheus',
    args: ARGS,
    paysFee: false,
    ...signed(servePrometheus, mayServePrometheus),
  },
]
