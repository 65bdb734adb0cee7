/** `state_*` again: the runtime's version, its metadata and its own methods. */
import { hexBytes } from '../../../util/bytes.ts'
import { hex0x } from '../block.ts'
import type { Chain } from '../chain.ts'
import type { RuntimeVersion } from '../pallet/system.ts'
import { metadataAt, runtimeCall } from '../runtime-call.ts'
import type { Methods } from './method.ts'
import { blockWithState } from './state.ts'

export function runtimeMethods(chain: Chain): Methods {
  const versionAt = (block: number) => versionJson(chain.runtime.version(chain.specVersionAt(block)))
  return {
    calls: {
      state_getRuntimeVersion: (params) => versionAt(blockWithState(chain, params, 0).number),
      state_getMetadata: (params) => hex0x(metadataAt(chain, blockWithState(chain, params, 0).number).v14),
      state_call: (params) => {
        const { number } = blockWithState(chain, params, 2)
        return hex0x(runtimeCall(chain, params.text(0), hexBytes(params.hex(1)), number))
      },
    },
    subscriptions: {
      state_subscribeRuntimeVersion: {
        end: 'state_unsubscribeRuntimeVersion',
        open: () => ({
          notification: 'state_runtimeVersion',
          start: (send) => {
            send(versionAt(chain.head().number))
            return chain.listen((event) => {
              if (event.type === 'upgraded') send(versionAt(chain.head().number))
            })
          },
        }),
      },
    },
  }
}

const versionJson = (version: RuntimeVersion) => ({
  specName: version.spec_name,
  implName: version.impl_name,
  authoringVersion: version.authoring_version,
  specVersion: version.spec_version,
  implVersion: version.impl_version,
  apis: version.apis.map(([id, number]) => [hex0x(id), number]),
  transactionVersion: version.transaction_version,
  systemVersion: version.system_version,
  stateVersion: version.system_version,
})
