import fc from 'fast-check'
import { expect, test } from 'vitest'
import { modelCid, withPages } from '../../src/protocol/manifest.ts'
import { type Documents, type Held, retained } from '../../src/protocol/retention.ts'
import { type Root, rootCid } from '../../src/protocol/root.ts'
import { base, baseCid, cidOfText, minerKey, model, pageOf, submissionOf } from './world.ts'

const WINDOW = 6

/** A network's store: what every cycle left, and nothing that was ever collected. */
function createStore() {
  const documents = { roots: new Map<string, Root>(), models: new Map(), pages: new Map(), submissions: new Map() }
  const all = new Set<string>()
  const addPage = (part: string, version: number): string => {
    const cid = cidOfText(`page of ${part} ${version}`)
    documents.pages.set(cid, pageOf(`${part}${version}`, version))
    for (const tensor of pageOf(`${part}${version}`, version).tensors) all.add(tensor.cid)
    all.add(cid)
    return cid
  }
  const addRoot = (root: Root, versions: ReadonlyMap<string, number>): string => {
    let manifest = model
    for (const [part, version] of versions) manifest = withPages(manifest, part, [addPage(part, version)])
    const cid = modelCid(manifest)
    documents.models.set(cid, manifest)
    const rootAt = { ...root, model: cid }
    const at = rootCid(rootAt)
    documents.roots.set(at, rootAt)
    for (const added of [cid, at, ...manifest.files.map((file) => file.cid)]) all.add(added)
    return at
  }
  const view: Documents = {
    root: (cid) => documents.roots.get(cid),
    model: (cid) => documents.models.get(cid),
    page: (cid) => documents.pages.get(cid),
    submission: (cid) => documents.submissions.get(cid),
  }
  return { documents, all, addRoot, view }
}
const PARTS = ['code', 'hub', 'law', 'router']
const tensorsOf = (part: string, version: number) => pageOf(`${part}${version}`, version).tensors.map(({ cid }) => cid)

/** `changes` names the part that each cycle changes. */
function history(changes: readonly string[], routerRootAt?: number) {
  const store = createStore()
  const versions = new Map(PARTS.map((part, i) => [part, 100 * i]))
  const roots = [store.addRoot(base, versions)]
  for (const [cycle, part] of changes.entries()) {
    versions.set(part, (versions.get(part) ?? 0) + 1)
    const routerRoot = routerRootAt === undefined ? null : (roots[routerRootAt + 1] ?? null)
    roots.push(store.addRoot({ ...base, cycle, previous: roots.at(-1) ?? null, routerRoot }, versions))
  }
  const held: Held = { current: roots.at(-1) as string, windowCycles: WINDOW, submissions: [], others: [] }
  return { ...store, roots, held, versions }
}

test('an expert that nobody changed for 300 cycles stays', () => {
  const { held, view, versions } = history(Array.from({ length: 300 }, () => 'code'))
  const kept = retained(held, view)
  for (const part of PARTS) for (const cid of tensorsOf(part, versions.get(part) ?? 0)) expect(kept).toContain(cid)
})

test('what only older roots reach goes', () => {
  const { held, view } = history(Array.from({ length: 300 }, () => 'code'))
  const kept = retained(held, view)
  for (const cid of tensorsOf('code', 300)) expect(kept).toContain(cid)
  for (const cid of tensorsOf('code', 299)) expect(kept).toContain(cid)
  for (const version of [0, 1, 150, 298]) for (const cid of tensorsOf('code', version)) expect(kept).not.toContain(cid)
})

test('the documents of the roots in the reward window stay, and no older one', () => {
  const { held, view, roots } = history(Array.from({ length: 20 }, () => 'law'))
  const kept = retained(held, view)
  expect(roots.map((root) => kept.has(root))).toEqual(roots.map((_, i) => i >= roots.length - WINDOW))
})

test('the window counts cycles, also those that left no root', () => {
  const { documents, held, view } = history(['code'])
  const old = documents.roots.get(held.current) as Root
  const late = { ...old, cycle: 40, previous: held.current }
  documents.roots.set(rootCid(late), late)
  const older = old.previous as string
  expect(retained({ ...held, current: rootCid(late), windowCycles: 40 }, view)).not.toContain(older)
  expect(retained({ ...held, current: rootCid(late), windowCycles: 41 }, view)).not.toContain(older)
  expect(retained({ ...held, current: rootCid(late), windowCycles: 42 }, view)).toContain(older)
})

test('the root whose routing rows are in force stays whole, however old', () => {
  const { held, view, roots } = history(['router', ...Array.from({ length: 50 }, () => 'router')], 0)
  const kept = retained(held, view)
  expect(kept).toContain(roots[1])
  for (const cid of tensorsOf('router', 301)) expect(kept).toContain(cid)
  for (const cid of tensorsOf('router', 302)) expect(kept).not.toContain(cid)
})

test('an amendment stays while it waits for its first block', () => {
  const { documents, held, view } = history(['code'])
  const amendment = cidOfText('amendment')
  const adopting = { ...(documents.roots.get(held.current) as Root), amendment, cycle: 1, previous: held.current }
  const next = { ...adopting, amendment: null, cycle: 2, previous: rootCid(adopting) }
  for (const root of [adopting, next]) documents.roots.set(rootCid(root), root)
  expect(retained({ ...held, current: rootCid(next) }, view)).toContain(amendment)
})

test('submissions of the open cycle stay with their tensors, and whatever else is named', () => {
  const { documents, held, view } = history(['code'])
  const submission = submissionOf(minerKey(0))
  documents.submissions.set(cidOfText('manifest'), submission)
  const kept = retained({ ...held, submissions: [cidOfText('manifest')], others: [cidOfText('report')] }, view)
  for (const cid of [cidOfText('manifest'), cidOfText('report'), ...submission.tensors.map(({ cid }) => cid)]) {
    expect(kept).toContain(cid)
  }
  expect(retained(held, view)).not.toContain(submission.tensors[0]?.cid)
})

test('what is not at hand yet is kept by its name', () => {
  const nothing: Documents = {
    root: () => undefined,
    model: () => undefined,
    page: () => undefined,
    submission: () => undefined,
  }
  const held = { current: baseCid, windowCycles: WINDOW, submissions: [cidOfText('manifest')], others: [] }
  expect([...retained(held, nothing)]).toEqual([baseCid, cidOfText('manifest')])
})

test('a newcomer that holds only the newest root keeps it, and the names of the one before', () => {
  const { documents, held, view, roots } = history(['code', 'code', 'code'])
  for (const root of roots.slice(0, -1)) documents.roots.delete(root)
  const kept = retained(held, view)
  expect(kept).toContain(held.current)
  expect(kept).toContain(roots.at(-2))
})

test('kept is what can be reached, and nothing else', () => {
  const changes = fc.array(fc.constantFrom(...PARTS), { minLength: 1, maxLength: 25 })
  fc.assert(
    fc.property(changes, fc.integer({ min: 1, max: 30 }), (list, windowCycles) => {
      const { all, view, roots, documents, held } = history(list)
      const kept = retained({ ...held, windowCycles }, view)
      const reachable = new Set<string>()
      for (const cid of roots.slice(-2)) {
        const root = documents.roots.get(cid) as Root
        const manifest = documents.models.get(root.model)
        for (const reached of [cid, root.model, ...manifest.files.map((file: { cid: string }) => file.cid)]) {
          reachable.add(reached)
        }
        for (const page of manifest.parts.flatMap((part: { pages: string[] }) => part.pages)) {
          reachable.add(page)
          for (const { cid: tensor } of documents.pages.get(page).tensors) reachable.add(tensor)
        }
      }
      for (const cid of roots.slice(-Math.min(windowCycles, roots.length))) reachable.add(cid)
      for (const cid of all) expect(kept.has(cid), cid).toBe(reachable.has(cid))
    }),
  )
})
