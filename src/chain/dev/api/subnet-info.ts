/** `SubnetInfoRuntimeApi` and its neighbours: subnets as wholes, their parameters, their prices and their next epochs. */
import type { Fields, RuntimeApi, TypeTable } from '../define.ts'
import { fixed, floor, less, over, times } from '../pallet/subtensor/fixed-point.ts'
import { lockCost } from '../pallet/subtensor/network.ts'
import * as s from '../pallet/subtensor/storage.ts'
import { exists, netuids, nextEpochBlock, subnetAccount, type View } from '../pallet/subtensor/subnet.ts'
import { alphaPrice, quote } from '../pallet/subtensor/swap.ts'
import { HYPERPARAM_TYPES, HYPERPARAMS, HYPERPARAMS_V2, hyperparamEntries } from './hyperparams.ts'
import {
  allMetagraphs,
  fieldsOf,
  METAGRAPH_TYPES,
  mechagraph,
  metagraph,
  pendingAlpha,
  type Row,
  rowsNamed,
  selectiveMetagraph,
  sinceLastStep,
  structOf,
  subnetName,
} from './metagraph.ts'

const DYNAMIC: readonly Row[] = [
  ...rowsNamed('netuid', 'owner_hotkey', 'owner_coldkey'),
  ['subnet_name', 'Vec<Compact<u8>>', subnetName],
  ['token_symbol', 'Vec<Compact<u8>>', (view, netuid) => Array.from(view.get(s.TokenSymbol, netuid))],
  ...rowsNamed('tempo', 'last_step'),
  ['blocks_since_last_step', 'Compact<u64>', sinceLastStep],
  ['emission', 'Compact<u64>', () => 0n],
  ...rowsNamed('alpha_in', 'alpha_out', 'tao_in', 'alpha_out_emission', 'alpha_in_emission', 'tao_in_emission'),
  ['pending_alpha_emission', 'Compact<u64>', pendingAlpha],
  ...rowsNamed('pending_root_emission', 'subnet_volume', 'network_registered_at'),
  ['subnet_identity', 'Option<SubnetIdentityV3>', (view, netuid) => view.get(s.SubnetIdentitiesV3, netuid)],
  ...rowsNamed('moving_price'),
]

export const SUBNET_TYPES: TypeTable = {
  ...METAGRAPH_TYPES,
  ...HYPERPARAM_TYPES,
  DynamicInfo: { path: 'pallet_subtensor::rpc_info::dynamic_info::DynamicInfo', type: structOf(DYNAMIC) },
  SimSwapResult: {
    path: 'pallet_subtensor_swap_runtime_api::SimSwapResult',
    type: '{tao_amount: u64, alpha_amount: u64, tao_fee: u64, alpha_fee: u64, tao_slippage: u64, alpha_slippage: u64}',
  },
}

const net = (args: Fields) => args['netuid'] as number
const rowsAnswer =
  (rows: readonly Row[]) =>
  (view: View, args: Fields): unknown =>
    exists(view, net(args)) ? fieldsOf(rows, view, net(args)) : null

const subnetApi = (
  method: string,
  inputs: string,
  output: string,
  answer: (view: View, args: Fields) => unknown,
): RuntimeApi => ({ api: 'SubnetInfoRuntimeApi', method, inputs, output, answer })

const NETUID = 'netuid: u16'
const INDEXES = 'metagraph_indexes: Vec<u16>'

/** Rao of TAO for a whole alpha. */
const price = (view: View, netuid: number) => floor(alphaPrice(view, netuid) * 10n ** 9n)

export const SUBNET_APIS: readonly RuntimeApi[] = [
  subnetApi('get_metagraph', NETUID, 'Option<Metagraph>', (view, args) => metagraph(view, net(args))),
  subnetApi('get_all_metagraphs', '', 'Vec<Option<Metagraph>>', allMetagraphs),
  subnetApi('get_mechagraph', `${NETUID}, mecid: u8`, 'Option<Metagraph>', (view, args) =>
    mechagraph(view, net(args), args['mecid'] as number),
  ),
  subnetApi('get_selective_metagraph', `${NETUID}, ${INDEXES}`, 'Option<SelectiveMetagraph>', (view, args) =>
    selectiveMetagraph(view, net(args), args['metagraph_indexes'] as readonly number[]),
  ),
  subnetApi('get_subnet_hyperparams', NETUID, 'Option<SubnetHyperparams>', rowsAnswer(HYPERPARAMS)),
  subnetApi('get_subnet_hyperparams_v2', NETUID, 'Option<SubnetHyperparamsV2>', rowsAnswer(HYPERPARAMS_V2)),
  subnetApi('get_subnet_hyperparams_v3', NETUID, 'Option<Vec<HyperparamEntry>>', (view, args) =>
    exists(view, net(args)) ? hyperparamEntries(view, net(args)) : null,
  ),
  subnetApi('get_dynamic_info', NETUID, 'Option<DynamicInfo>', rowsAnswer(DYNAMIC)),
  subnetApi('get_all_dynamic_info', '', 'Vec<Option<DynamicInfo>>', (view) =>
    netuids(view).map((netuid) => fieldsOf(DYNAMIC, view, netuid)),
  ),
  subnetApi('get_next_epoch_start_block', NETUID, 'Option<u64>', (view, args) =>
    exists(view, net(args)) ? nextEpochBlock(view, net(args)) : null,
  ),
  subnetApi('get_subnet_account_id', NETUID, 'Option<AccountId32>', (view, args) =>
    exists(view, net(args)) ? subnetAccount(net(args)) : null,
  ),
  {
    api: 'SubnetRegistrationRuntimeApi',
    method: 'get_network_registration_cost',
    inputs: '',
    output: 'u64',
    answer: lockCost,
  },
  {
    api: 'SwapRuntimeApi',
    method: 'current_alpha_price',
    inputs: NETUID,
    output: 'u64',
    answer: (view, args) => price(view, net(args)),
  },
  {
    api: 'SwapRuntimeApi',
    method: 'sim_swap_tao_for_alpha',
    inputs: `${NETUID}, tao: u64`,
    output: 'SimSwapResult',
    answer: (view, args) => {
      const { paid, got, fee } = quote(view, net(args), 'tao', args['tao'] as bigint)
      const atPrice = floor(over(fixed(paid), alphaPrice(view, net(args))))
      const lost = { tao_slippage: 0n, alpha_slippage: less(atPrice, got) }
      return { tao_amount: paid, alpha_amount: got, tao_fee: fee, alpha_fee: 0n, ...lost }
    },
  },
  {
    api: 'SwapRuntimeApi',
    method: 'sim_swap_alpha_for_tao',
    inputs: `${NETUID}, alpha: u64`,
    output: 'SimSwapResult',
    answer: (view, args) => {
      const { paid, got, fee } = quote(view, net(args), 'alpha', args['alpha'] as bigint)
      const atPrice = floor(times(fixed(paid), alphaPrice(view, net(args))))
      const lost = { tao_slippage: less(atPrice, got), alpha_slippage: 0n }
      return { tao_amount: got, alpha_amount: paid, tao_fee: 0n, alpha_fee: fee, ...lost }
    },
  },
]
