/** Which device to compute on: the one that was asked for when it works, or the fastest that does. Never silently another. */
import { NodeError } from '../../errors.ts'
import { DEVICES, type Device } from './device.ts'
import type { Probe } from './probe.ts'

export type Choice = {
  readonly device: Device
  /** For people: why this one, where nobody has asked for it by name. */
  readonly told: string | null
}
export type ChooseDeps = { readonly probe: (device: Device) => Promise<Probe> }

export async function chooseDevice(wanted: Device | 'auto', { probe }: ChooseDeps): Promise<Choice> {
  if (wanted === 'auto') return fastest(probe)
  const found = wanted === 'cpu' ? null : await probe(wanted)
  if (found?.works === false) {
    const { why, remedy } = found
    throw new NodeError('DEVICE_UNFIT', { what: `${wanted} does not work on this machine`, why, remedy })
  }
  return { device: wanted, told: null }
}

/** The CPU always works; it is tried only where there is somebody to race it. */
async function fastest(probe: ChooseDeps['probe']): Promise<Choice> {
  const others = await Promise.all(DEVICES.filter((device) => device !== 'cpu').map(probe))
  const isAlone = others.every(({ works }) => !works)
  const raced = isAlone ? others : [...others, await probe('cpu')]
  const working = raced.flatMap((found) => (found.works ? [found] : [])).toSorted((a, b) => a.ms - b.ms)
  const { device } = working[0] ?? { device: 'cpu' as const }
  const times = working.map((found) => `${found.device} ${Number(found.ms.toPrecision(2))} ms`)
  const absent = others.flatMap((found) => (found.works ? [] : [found.device]))
  const notes = [
    ...(times.length === 0 ? [] : [`for the same work, ${times.join(', ')}`]),
    ...(absent.length === 0 ? [] : [`\`wheelwright doctor\` says why not on ${absent.join(' or ')}`]),
  ]
  return { device, told: `computing on ${device}: ${notes.join('; ')}` }
}
