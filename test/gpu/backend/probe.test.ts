import { expect, test } from 'vitest'
import { judged, probe, REMEDIES } from '../../../src/gpu/backend/probe.ts'

const ended = { stdout: '', stderr: '', code: 0, killedBy: null }
const working = { works: true, agreement: { loss: 1e-7, gradients: 2e-7 }, ms: 3 }

test('the CPU works, which a process of its own has found out', { timeout: 60_000 }, async () => {
  const found = await probe('cpu', { signal: new AbortController().signal })
  expect(found).toMatchObject({ device: 'cpu', works: true, agreement: { loss: 0, gradients: 0 } })
})

test('who aborts waits no longer', { timeout: 60_000 }, async () => {
  const stop = new AbortController()
  const asked = probe('cpu', stop)
  stop.abort(new Error('enough'))
  await expect(asked).rejects.toThrow('enough')
})

test('an answer is the last line, whatever a library has printed before', () => {
  const stdout = `a library says hello\n${JSON.stringify(working)}\n`
  expect(judged('webgpu', { ...ended, stdout })).toEqual(working)
})

test('an answer of a process that could not end is none', () => {
  const stdout = JSON.stringify(working)
  const found = judged('webgpu', { ...ended, stdout, code: null, killedBy: 'SIGSEGV', stderr: 'unloading\n' })
  expect(found).toEqual({
    works: false,
    why: 'the process that tried it ended with SIGSEGV: unloading',
    remedy: REMEDIES.webgpu,
  })
})

test.each([
  ['an abort', { code: null, killedBy: 'SIGABRT', stderr: 'a\nterminate called\n' }, /SIGABRT: terminate called$/],
  ['an exit', { code: 3, killedBy: null, stderr: '' }, /ended with 3$/],
  [
    'a library that is missing',
    { code: 1, killedBy: null, stderr: 'x\nError: no binding\nNode.js v22\n' },
    /no binding$/,
  ],
  ['silence', { code: null, killedBy: 'SIGKILL', stderr: '' }, /no answer within 60 s/],
])('%s is an answer, too', (_name, how, why) => {
  const found = judged('cuda', { ...ended, ...how })
  expect(found.works ? '' : found.why).toMatch(why)
})

test('a reason is told without the place in the source of a library, and with the file that is missing', () => {
  const why = 'Error: /src/context.cc:136 Initialize() status == Success was false. No adapter: none supported\n'
  const stderr = "Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file: No such file\n"
  const stdout = JSON.stringify({ works: false, why, remedy: null })
  expect(judged('webgpu', { ...ended, stdout, stderr })).toEqual({
    works: false,
    why: 'No adapter: none supported (libvulkan.so.1: cannot open shared object file)',
    remedy: REMEDIES.webgpu,
  })
})

test('the remedy of the child goes before the general one', () => {
  const stdout = JSON.stringify({ works: false, why: 'the loss is off', remedy: 'Update the driver.' })
  expect(judged('webgpu', { ...ended, stdout })).toMatchObject({ remedy: 'Update the driver.' })
})
