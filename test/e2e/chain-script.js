/**
 * What the owner of a subnet, a validator and a miner do on a subtensor, written with @polkadot/api alone: no code of ours.
 *
 * `node chain-script.js URL` prints one line of JSON with what it read at the end.
 */
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api'

const TAO = 1_000_000_000n
const TEMPO = 8
const [url] = process.argv.slice(2)

const api = await ApiPromise.create({ provider: new WsProvider(url), noInitWarn: true })
const keys = new Keyring({ type: 'sr25519' })
const [alice, bob, charlie] = ['//Alice', '//Bob', '//Charlie'].map((uri) => keys.addFromUri(uri))
const [ownerHot, validatorHot, minerHot] = ['//owner-hot', '//validator-hot', '//miner-hot'].map((uri) =>
  keys.addFromUri(uri),
)

const wordsOf = (error) => {
  if (!error.isModule) return String(error)
  const { section, name } = api.registry.findMetaError(error.asModule)
  return `${section}.${name}`
}

/** Signs, sends, and waits until it is final. */
const send = (tx, from) =>
  new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`${tx.method.section}.${tx.method.method}: ${why}`))
    tx.signAndSend(from, { nonce: -1 }, ({ status, dispatchError, events }) => {
      if (status.isInvalid || status.isDropped) fail(status.type)
      if (dispatchError !== undefined) fail(wordsOf(dispatchError))
      const sudid = events.find(({ event }) => api.events.sudo.Sudid.is(event))?.event.data[0]
      if (sudid?.isErr) fail(wordsOf(sudid.asErr))
      if (status.isFinalized) resolve()
    }).catch(reject)
  })
const sudo = (call) => send(api.tx.sudo.sudo(call), alice)
const { subtensorModule: subtensor, adminUtils, commitments, balances } = api.tx
const query = api.query.subtensorModule

/** Resolves when the subnet has had so many epochs. */
const epochs = async (netuid, count) => {
  while ((await query.subnetEpochIndex(netuid)).toNumber() < count) {
    await new Promise((resolve) => {
      const unsubscribe = api.rpc.chain.subscribeNewHeads(() => unsubscribe.then((stop) => resolve(stop())))
    })
  }
}

// A subnet, and who takes part in it.
await send(subtensor.registerNetwork(ownerHot.address), alice)
const netuid = (await query.totalNetworks()).toNumber() - 1
// Parameters are frozen for some blocks before an epoch, which would be always with an epoch that short.
await sudo(adminUtils.sudoSetAdminFreezeWindow(0))
await sudo(adminUtils.sudoSetTempo(netuid, TEMPO))
await sudo(adminUtils.sudoSetCommitRevealWeightsEnabled(netuid, false))
await sudo(adminUtils.sudoSetWeightsSetRateLimit(netuid, 0))
await sudo(adminUtils.sudoSetNetworkRegistrationAllowed(netuid, true))
await send(subtensor.startCall(netuid), alice)
await send(subtensor.burnedRegister(netuid, validatorHot.address), bob)
await send(subtensor.burnedRegister(netuid, minerHot.address), charlie)
await send(subtensor.addStake(validatorHot.address, netuid, 100n * TAO), bob)
const uidOf = async (hot) => (await query.uids(netuid, hot.address)).unwrap().toNumber()
const [validator, miner] = [await uidOf(validatorHot), await uidOf(minerHot)]

// The validator has its permit from the next epoch on. Meanwhile the miner says where it is and what it has.
await send(balances.transferKeepAlive(minerHot.address, TAO), charlie)
await send(subtensor.serveAxon(netuid, 1, 0x01020304, 8091, 4, 0, 0, 0), minerHot)
await send(commitments.setCommitment(netuid, { fields: [{ Raw5: '0x68656c6c6f' }] }), minerHot)
await epochs(netuid, (await query.subnetEpochIndex(netuid)).toNumber() + 1)
await send(subtensor.setWeights(netuid, [miner], [65_535], 0), validatorHot)
await epochs(netuid, (await query.subnetEpochIndex(netuid)).toNumber() + 2)

const read = async (name) => (await query[name](netuid)).toJSON()
const neurons = await api.call.neuronInfoRuntimeApi.getNeuronsLite(netuid)
const result = {
  netuid,
  validator,
  miner,
  permits: await read('validatorPermit'),
  incentive: await read('incentive'),
  dividends: await read('dividends'),
  emission: await read('emission'),
  weights: (await query.weights(netuid, validator)).toJSON(),
  commitment: (await api.query.commitments.commitmentOf(netuid, minerHot.address)).toJSON().info.fields,
  axon: (await query.axons(netuid, minerHot.address)).toJSON(),
  neurons: neurons.map((neuron) => neuron.hotkey.toString()),
  metagraph: (await api.call.subnetInfoRuntimeApi.getMetagraph(netuid)).isSome,
}
process.stdout.write(`${JSON.stringify(result)}\n`)
await api.disconnect()
