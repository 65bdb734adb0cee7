/**
 * Makes the genesis model: a byte-level mixture of a million parameters, from random weights, on text that `corpus.ts` makes.
 *
 *     node bootstrap/make-genesis.ts OUT
 *
 * The same bytes again on one machine. Losses per domain are printed as it goes.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Chance, createChance, DOMAINS, makeText } from '../src/gpu/data/corpus.ts'
import { byteTokenizer, GENESIS_CONFIG } from '../src/gpu/model/byte-model.ts'
import { type Checkpoint, openCheckpoint } from '../src/gpu/model/checkpoint.ts'
import { deltaOf } from '../src/gpu/model/delta.ts'
import { everyWeight, newTensors, normalOf } from '../src/gpu/model/new.ts'
import { writeSafetensors } from '../src/gpu/model/safetensors-file.ts'
import { rateAt, type Schedule } from '../src/gpu/train/schedule.ts'
import type { Training } from '../src/gpu/train/step.ts'
import { createTraining } from '../src/gpu/train/training.ts'

const SEED = 1
const STEPS = 600
const BATCH = 16
/** Tokens of a sequence, the last of which is only predicted. */
const PLACES = 65
const SCHEDULE: Schedule = { rate: 3e-3, warmupSteps: 50, decay: 'cosine', floor: 0.05 }
const ADAM = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05 }
const SESSION = { device: 'cpu', threads: 2 } as const
/**
 * How often it hears all words. Never, and it is so sure of itself on new ones that any noise lowers its loss: then noise passes
 * the gates of Proof-of-Loss, and rightly so.
 */
const WHOLE_SHARE = 0.2
const SHOWN_STEPS = 100

const sequence = (chance: Chance, place: number): Uint8Array => {
  const domain = DOMAINS[place % DOMAINS.length] as (typeof DOMAINS)[number]
  // Begins anywhere in a document, as sequences of real text do.
  const text = makeText(domain, { chance, share: chance() < WHOLE_SHARE ? 'all' : 'half' }, 3 * PLACES)
  const begin = Math.floor(chance() * 2 * PLACES)
  return new TextEncoder().encode(text.slice(begin, begin + PLACES))
}

async function train(checkpoint: Checkpoint): Promise<Training> {
  const chance = createChance(SEED)
  const training = await createTraining(checkpoint, everyWeight(checkpoint.model, checkpoint.layout), {
    ...SESSION,
    adam: ADAM,
    normMax: 1,
    places: PLACES - 1,
    sequencesPerRun: BATCH,
  })
  for (let step = 0; step < STEPS; step++) {
    const batch = Array.from({ length: BATCH }, (_, place) => sequence(chance, place))
    const [made] = await training.run([{ batch, step: step + 1, rate: rateAt(SCHEDULE, step, STEPS) }])
    if ((step + 1) % SHOWN_STEPS === 0)
      console.log(`step ${step + 1} of ${STEPS}: ${made?.loss.toFixed(4)} nats a byte`)
  }
  return training
}

async function main(out: string): Promise<void> {
  await mkdir(out, { recursive: true })
  const json = (name: string, value: unknown) => writeFile(join(out, name), `${JSON.stringify(value, null, 2)}\n`)
  await json('config.json', GENESIS_CONFIG)
  await json('tokenizer.json', byteTokenizer())
  await json('tokenizer_config.json', { tokenizer_class: 'PreTrainedTokenizerFast' })

  const file = join(out, 'model.safetensors')
  const random = [...newTensors(GENESIS_CONFIG, normalOf(createChance(SEED)))]
  await writeSafetensors(
    file,
    random,
    random.map(({ bytes }) => bytes),
  )
  const checkpoint = await openCheckpoint(out)
  const training = await train(checkpoint)
  const values = await training.read('weights')
  const { tensors, contents } = deltaOf(checkpoint, everyWeight(checkpoint.model, checkpoint.layout), values)
  const { bytes } = await writeSafetensors(file, tensors, contents)
  await training.release()
  console.log(`${file}: ${tensors.length} tensors, ${bytes} bytes`)
}

const [out] = process.argv.slice(2)
if (out === undefined) {
  console.error('usage: node bootstrap/make-genesis.ts OUT')
  process.exitCode = 2
} else await main(out)
