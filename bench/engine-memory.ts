/** What evaluating a model of a gigabyte takes beyond an idle process: run in a process of its own, told by its last line. */
import { readFileSync } from 'node:fs'
import { weightsOf } from '../src/gpu/evaluate/pieces.ts'
import { createScorer } from '../src/gpu/evaluate/scorer.ts'
import { keyOf, openCheckpoint, readWeight } from '../src/gpu/model/checkpoint.ts'
import { experts, makeTokens } from './engine-model.ts'

/** The greatest resident size so far; pages of mapped files count. */
const peakBytes = (): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? Number.NaN) * 1024

const [directory = ''] = process.argv.slice(2)
const idle = peakBytes()
const checkpoint = await openCheckpoint(directory)
const scorer = createScorer(checkpoint, { device: 'cpu', threads: 2, tokensPerRun: 512, cacheBytesMax: 64 * 2 ** 20 })
const pieces = experts(checkpoint, [0])
await scorer.open(pieces)
const sequences = { name: 'some', tokens: makeTokens(16, 65, checkpoint.model.vocabulary) }
const all = { checkpoints: [], goOn: () => true }
await scorer.losses({ sequences, changes: new Map(), ...all })
const changes = new Map<string, Float32Array>()
for (const weight of pieces.flatMap(weightsOf)) changes.set(keyOf(weight), await readWeight(checkpoint, weight))
await scorer.losses({ sequences, changes, ...all })
console.log(JSON.stringify({ bytes: peakBytes() - idle }))
process.exit()
