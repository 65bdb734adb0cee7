import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../../bin/setup.js'
import { chooseNode } from '../../bin/wheelwright.js'

const cases: [why: string, version: string, execPath: string, own: string | null, choice: string][] = [
  ['an old Node hands over to ours', 'v20.20.2', '/usr/bin/node', '/own/node', 'own'],
  ['a newer Node hands over to ours too', 'v24.0.0', '/usr/bin/node', '/own/node', 'own'],
  ['ours goes on', 'v22.23.3', '/own/node', '/own/node', 'here'],
  ['without ours a newer one goes on', 'v24.0.0', '/usr/bin/node', null, 'here'],
  ['without ours an old one cannot', 'v20.20.2', '/usr/bin/node', null, 'none'],
  ['ours too old would be our bug, and must not recurse', 'v20.20.2', '/own/node', '/own/node', 'none'],
]
test.each(cases)('%s', (_, version, execPath, own, choice) => {
  expect(chooseNode({ version, execPath, own })).toBe(choice)
})

const spawnDoor = (...argv: string[]) => {
  const door = join(root, 'bin', 'wheelwright.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [door, ...argv], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

test('the door prints what the command prints and nothing else, no warning either', () => {
  expect(spawnDoor('--version')).toEqual({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: '' })
})

test('the door ends with the exit code of the command', () => {
  expect(spawnDoor('--bogus')).toMatchObject({ status: 2, stdout: '' })
})
