/** `StakeInfoRuntimeApi`: what a coldkey has staked where. */
import type { RuntimeApi, TypeTable } from '../define.ts'
import { stakeOf } from '../pallet/subtensor/stake.ts'
import * as s from '../pallet/subtensor/storage.ts'
import { isRegistered, netuids, type View } from '../pallet/subtensor/subnet.ts'

export const STAKE_TYPES: TypeTable = {
  StakeInfo: {
    path: 'pallet_subtensor::rpc_info::stake_info::StakeInfo',
    type: `{hotkey: AccountId32, coldkey: AccountId32, netuid: Compact<u16>, stake: Compact<u64>, locked: Compact<u64>,
      emission: Compact<u64>, tao_emission: Compact<u64>, drain: Compact<u64>, is_registered: bool}`,
  },
}

function infoOf(view: View, hotkey: string, coldkey: string, netuid: number) {
  return {
    hotkey,
    coldkey,
    netuid,
    stake: stakeOf(view, hotkey, coldkey, netuid),
    locked: 0n,
    emission: view.get(s.AlphaDividendsPerSubnet, netuid, hotkey),
    tao_emission: 0n,
    drain: 0n,
    is_registered: isRegistered(view, netuid, hotkey),
  }
}

const ofColdkey = (view: View, coldkey: string) =>
  netuids(view).flatMap((netuid) =>
    view
      .get(s.StakingHotkeys, coldkey)
      .map((hotkey) => infoOf(view, hotkey, coldkey, netuid))
      .filter(({ stake }) => stake > 0n),
  )

const api = 'StakeInfoRuntimeApi'

export const STAKE_APIS: readonly RuntimeApi[] = [
  {
    api,
    method: 'get_stake_info_for_coldkey',
    inputs: 'coldkey_account: AccountId32',
    output: 'Vec<StakeInfo>',
    answer: (view, args) => ofColdkey(view, args['coldkey_account'] as string),
  },
  {
    api,
    method: 'get_stake_info_for_coldkeys',
    inputs: 'coldkey_accounts: Vec<AccountId32>',
    output: 'Vec<(AccountId32,Vec<StakeInfo>)>',
    answer: (view, args) =>
      (args['coldkey_accounts'] as readonly string[]).map((coldkey) => [coldkey, ofColdkey(view, coldkey)]),
  },
  {
    api,
    method: 'get_stake_info_for_hotkey_coldkey_netuid',
    inputs: 'hotkey_account: AccountId32, coldkey_account: AccountId32, netuid: u16',
    output: 'Option<StakeInfo>',
    answer: (view, args) =>
      infoOf(view, args['hotkey_account'] as string, args['coldkey_account'] as string, args['netuid'] as number),
  },
]
