/** `NeuronInfoRuntimeApi`: neurons one by one, as older clients read them. What is no longer computed is zero. */
import type { Fields, RuntimeApi, TypeTable } from '../define.ts'
import * as s from '../pallet/subtensor/storage.ts'
import { exists, hasUid, type View } from '../pallet/subtensor/subnet.ts'

const HEAD = `hotkey: AccountId32, coldkey: AccountId32, uid: Compact<u16>, netuid: Compact<u16>, active: bool,
  axon_info: AxonInfo, prometheus_info: PrometheusInfo, stake: Vec<(AccountId32,Compact<u64>)>, rank: Compact<u16>,
  emission: Compact<u64>, incentive: Compact<u16>, consensus: Compact<u16>, trust: Compact<u16>,
  validator_trust: Compact<u16>, dividends: Compact<u16>, last_update: Compact<u64>, validator_permit: bool`
const PAIRS = 'Vec<(Compact<u16>,Compact<u16>)>'

export const NEURON_TYPES: TypeTable = {
  NeuronInfo: {
    path: 'pallet_subtensor::rpc_info::neuron_info::NeuronInfo',
    type: `{${HEAD}, weights: ${PAIRS}, bonds: ${PAIRS}, pruning_score: Compact<u16>}`,
  },
  NeuronInfoLite: {
    path: 'pallet_subtensor::rpc_info::neuron_info::NeuronInfoLite',
    type: `{${HEAD}, pruning_score: Compact<u16>}`,
  },
}

const NO_PROMETHEUS = { block: 0n, version: 0, ip: 0n, port: 0, ip_type: 0 }
export const NO_AXON = { ...NO_PROMETHEUS, protocol: 0, placeholder1: 0, placeholder2: 0 }
const PRUNING_SCORE = 65_535

function neuron(view: View, netuid: number, uid: number, isLite: boolean): unknown {
  const hotkey = view.get(s.Keys, netuid, uid)
  const coldkey = view.get(s.Owner, hotkey)
  const positive = (row: readonly (readonly [number, number])[]) => row.filter(([, value]) => value > 0)
  const rows = {
    weights: positive(view.get(s.Weights, netuid, uid)),
    bonds: positive(view.get(s.Bonds, netuid, uid)),
  }
  return {
    hotkey,
    coldkey,
    uid,
    netuid,
    active: view.get(s.Active, netuid)[uid] ?? false,
    axon_info: view.get(s.Axons, netuid, hotkey) ?? NO_AXON,
    prometheus_info: view.get(s.Prometheus, netuid, hotkey) ?? NO_PROMETHEUS,
    stake: [[coldkey, view.get(s.TotalHotkeyAlpha, hotkey, netuid)]],
    rank: 0,
    emission: view.get(s.Emission, netuid)[uid] ?? 0n,
    incentive: view.get(s.Incentive, netuid)[uid] ?? 0,
    consensus: view.get(s.Consensus, netuid)[uid] ?? 0,
    trust: 0,
    validator_trust: view.get(s.ValidatorTrust, netuid)[uid] ?? 0,
    dividends: view.get(s.Dividends, netuid)[uid] ?? 0,
    last_update: view.get(s.LastUpdate, netuid)[uid] ?? 0n,
    validator_permit: view.get(s.ValidatorPermit, netuid)[uid] ?? false,
    ...(isLite ? {} : rows),
    pruning_score: PRUNING_SCORE,
  }
}

function all(view: View, { netuid }: Fields, isLite: boolean): readonly unknown[] {
  const net = netuid as number
  const count = exists(view, net) ? view.get(s.SubnetworkN, net) : 0
  return Array.from({ length: count }, (_, uid) => neuron(view, net, uid, isLite))
}

function one(view: View, { netuid, uid }: Fields, isLite: boolean): unknown {
  const [net, at] = [netuid as number, uid as number]
  return exists(view, net) && hasUid(view, net, at) ? neuron(view, net, at, isLite) : null
}

const api = 'NeuronInfoRuntimeApi'
const UID = 'netuid: u16, uid: u16'

// biome-ignore format: a table
export const NEURON_APIS: readonly RuntimeApi[] = [
  { api, method: 'get_neurons', inputs: 'netuid: u16', output: 'Vec<NeuronInfo>', answer: (view, args) => all(view, args, false) },
  { api, method: 'get_neuron', inputs: UID, output: 'Option<NeuronInfo>', answer: (view, args) => one(view, args, false) },
  { api, method: 'get_neurons_lite', inputs: 'netuid: u16', output: 'Vec<NeuronInfoLite>', answer: (view, args) => all(view, args, true) },
  { api, method: 'get_neuron_lite', inputs: UID, output: 'Option<NeuronInfoLite>', answer: (view, args) => one(view, args, true) },
]
