/** `system_*`: who this node is, and the next nonce of an account. */
import { decodeAddress } from '@polkadot/util-crypto/address'
import { toHex } from '../../../util/bytes.ts'
import type { Chain } from '../chain.ts'
import { Account } from '../pallet/system.ts'
import { rpcError } from '../rpc-error.ts'
import type { Methods, Params } from './method.ts'

export type SystemInfo = { readonly chainName: string; readonly version: string }

export function systemMethods(chain: Chain, { chainName, version }: SystemInfo): Methods {
  const nextIndex = (params: Params): number => {
    const account = accountOf(params.text(0))
    return chain.state.get(Account, account).nonce + chain.pool.readyCount(account)
  }
  return {
    calls: {
      system_chain: () => chainName,
      system_chainType: () => 'Development',
      system_name: () => 'Subtensor Node',
      system_version: () => version,
      system_properties: () => ({ isEthereum: false, ss58Format: 42, tokenDecimals: 9, tokenSymbol: 'TAO' }),
      system_health: () => ({ peers: 0, isSyncing: false, shouldHavePeers: false }),
      system_nodeRoles: () => ['Authority'],
      system_peers: () => [],
      system_localListenAddresses: () => [],
      system_syncState: () => {
        const { number } = chain.head()
        return { startingBlock: 0, currentBlock: number, highestBlock: number }
      },
      system_accountNextIndex: nextIndex,
      account_nextIndex: nextIndex,
    },
    subscriptions: {},
  }
}

/** An SS58 address of any network, or the public key as hex. */
function accountOf(text: string): string {
  try {
    return toHex(decodeAddress(text))
  } catch {
    throw rpcError.params('an account is an SS58 address')
  }
}
