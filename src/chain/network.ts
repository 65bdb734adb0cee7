/**
 * Networks by name: they differ by their address alone.
 *
 * The same client drives all of them; local is what runs on this machine, told by its address.
 */

export type NetworkAddress = { readonly endpoints: readonly string[]; readonly isLocal: boolean }

const NAMED: { readonly [name: string]: readonly string[] } = {
  local: ['ws://127.0.0.1:9944'],
  test: ['wss://test.finney.opentensor.ai:443'],
  finney: ['wss://entrypoint-finney.opentensor.ai:443'],
}

export const NETWORK_NAMES: readonly string[] = Object.keys(NAMED)

const LOCAL_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** `null` when the text is neither a name nor a list of WebSocket addresses separated by commas. */
export function networkOf(text: string): NetworkAddress | null {
  const named = NAMED[text]
  if (named !== undefined) return { endpoints: named, isLocal: text === 'local' }
  const endpoints = text.split(',')
  const urls = endpoints.map(parseEndpoint)
  if (urls.some((url) => url === null)) return null
  return { endpoints, isLocal: urls.every((url) => LOCAL_HOST.test(url?.hostname ?? '')) }
}

/** The address of a WebSocket, without a fragment, which none can have; `null` for anything else. */
export function parseEndpoint(text: string): URL | null {
  const url = URL.parse(text)
  return url !== null && /^wss?:$/.test(url.protocol) && url.hash === '' ? url : null
}

/** An address as it may be shown and logged: keys of providers stand in the user, the query and the path. */
export const shownAddress = (text: string): string => {
  const url = parseEndpoint(text)
  return url === null ? 'an address' : `${url.protocol}//${url.host}`
}
