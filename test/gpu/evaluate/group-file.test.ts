import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readGroup, writeGroups } from '../../../src/gpu/evaluate/group-file.ts'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'groups-'))
})
afterAll(() => rmSync(root, { recursive: true }))

test('a group is read as it was written', async () => {
  const path = join(root, 'g.json')
  const group = (name: string) => ({ name, domain: name, tensors: [`${name}.weight`] })
  await writeGroups(path, { groups: [group('a'), group('b')], router: { tensors: ['r'] } })
  expect(await readGroup({ path, name: 'b' })).toEqual(['b.weight'])
  await expect(readGroup({ path, name: 'c' })).rejects.toMatchObject({ code: 'DATA_INVALID', why: 'it has "a", "b"' })
})

test.each([
  ['{}'],
  ['null'],
  ['[]'],
  ['{"groups":7}'],
  ['{"groups":[null]}'],
  ['{"groups":[{"name":"a"}]}'],
  ['{"groups":[{"name":"a","tensors":[]}]}'],
  ['{"groups":[{"name":"a","tensors":[1]}]}'],
])('%s holds no group', async (text) => {
  const path = join(root, 'bad.json')
  writeFileSync(path, text)
  await expect(readGroup({ path, name: 'a' })).rejects.toMatchObject({ code: 'DATA_INVALID' })
})
