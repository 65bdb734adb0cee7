import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { askSecret } from '../../src/cli/wallet-prompt.ts'
import { expectCode } from '../contracts/harness.ts'

function createTerminal() {
  const shown: string[] = []
  const input = new PassThrough()
  const stop = new AbortController()
  const ask = () => askSecret({ input, output: { write: (text) => shown.push(text) } }, 'password: ', stop.signal)
  return { input, stop, ask, shown: () => shown.join('') }
}

test('a line is the answer, and none of it is shown', async () => {
  const { input, ask, shown } = createTerminal()
  const answer = ask()
  input.write('hunter2x\b \n')
  expect(await answer).toBe('hunter2 ')
  expect(shown()).toBe('password: \n')
})

test('Ctrl-C, the end of the input and a signal end the question', async () => {
  const typed = createTerminal()
  const first = typed.ask()
  typed.input.write('secr\u0003')
  await expectCode(first, 'INTERRUPTED')
  const ended = createTerminal()
  const second = ended.ask()
  ended.input.end()
  await expectCode(second, 'INTERRUPTED')
  const stopped = createTerminal()
  const third = stopped.ask()
  stopped.stop.abort()
  await expectCode(third, 'INTERRUPTED')
  await expectCode(stopped.ask(), 'INTERRUPTED')
})
