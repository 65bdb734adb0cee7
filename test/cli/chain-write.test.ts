import { expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { createFakeIo } from './fake-io.ts'

test('weights that are not numbers are refused before anything is connected', async () => {
  for (const [uids, values] of [
    ['', ''],
    ['1,,2', '1,2,3'],
    ['0x10', '5'],
    ['1', '1e3'],
    ['1', '65536'],
    ['-1', '1'],
  ] as const) {
    const { io, texts } = createFakeIo()
    const line = [
      'chain',
      'weights',
      '--uri',
      '//Alice',
      '--network',
      'ws://127.0.0.1:1',
      `--uids=${uids}`,
      `--values=${values}`,
    ]
    expect(await main(line, io), `${uids} ${values}`).toBe(2)
    expect(texts.err).toMatch('USAGE')
  }
})
