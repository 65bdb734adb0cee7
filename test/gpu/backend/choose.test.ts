import { expect, test } from 'vitest'
import { chooseDevice } from '../../../src/gpu/backend/choose.ts'
import type { Device } from '../../../src/gpu/backend/device.ts'
import type { Probe } from '../../../src/gpu/backend/probe.ts'

/** What a machine has: milliseconds of the devices that work. */
function machine(times: { readonly [D in Device]?: number }) {
  const asked: Device[] = []
  const probe = async (device: Device): Promise<Probe> => {
    asked.push(device)
    const ms = times[device]
    if (ms === undefined) return { device, works: false, why: 'no driver', remedy: 'Get one.' }
    return { device, works: true, agreement: { loss: 0, gradients: 0 }, ms }
  }
  return { probe, asked }
}

test.each([
  ['cuda', { cpu: 20, webgpu: 4, cuda: 3 }],
  ['webgpu', { cpu: 20, webgpu: 4 }],
  ['cpu', { cpu: 20 }],
  ['cpu', { cpu: 20, webgpu: 4_000 }], // a driver that computes on the CPU
] as const)('auto is %s on a machine with %j, and says so', async (device, times) => {
  const choice = await chooseDevice('auto', machine(times))
  expect(choice.device).toBe(device)
  expect(choice.told).toMatch(new RegExp(`^computing on ${device}: `))
})

test('the CPU alone has nobody to race', async () => {
  const alone = machine({ cpu: 20 })
  await chooseDevice('auto', alone)
  expect(alone.asked).toEqual(['webgpu', 'cuda'])
})

test('what was asked for by name is taken, or refused with the reason', async () => {
  const own = machine({ cpu: 20, webgpu: 4_000 })
  expect(await chooseDevice('webgpu', own)).toEqual({ device: 'webgpu', told: null })
  expect(await chooseDevice('cpu', own)).toEqual({ device: 'cpu', told: null })
  await expect(chooseDevice('cuda', own)).rejects.toMatchObject({
    code: 'DEVICE_UNFIT',
    what: 'cuda does not work on this machine',
    why: 'no driver',
    remedy: 'Get one.',
  })
})
