/** `wheelwright model inspect`: what a model is, from its headers; or what is wrong with it. */
import type { InspectResult } from '../gpu/worker/inspect-job.ts'
import type { Flags, FlagValues } from './command.ts'
import { type Io, printable } from './io.ts'
import { directoryOf } from './model-open.ts'
import { countText, runShown } from './model-run.ts'
import { bytesText } from './progress.ts'

/** More of them are counted only. */
const NAMES_MAX = 8

export async function run(flags: FlagValues<Flags>, io: Io, [word]: readonly string[]): Promise<void> {
  const task = { directory: directoryOf(word) }
  await runShown({ kind: 'job', name: 'inspect', task }, { label: 'reading', textOf }, io, flags.json)
}

function textOf(result: InspectResult): string {
  const { family, vocabulary, width, layers, experts, parameters, tensors, bytes, dtypes, files, unexpected } = result
  const { count, chosen, stored } = experts
  const names = unexpected.slice(0, NAMES_MAX).map(printable).join(', ')
  const rows = [
    ['model', `${family}, ${layers} layers of width ${width}, ${vocabulary} tokens`],
    ['experts', `${count} in each of ${experts.layers} layers, ${chosen} of them for a token, stored ${stored}`],
    [
      'parameters',
      `${countText(parameters.all)} in all, ${countText(parameters.perToken)} for a token, ${countText(parameters.perExpert)} an expert`,
    ],
    ['tensors', `${tensors} in ${files.length} files, ${bytesText(bytes)}, ${Object.keys(dtypes).join(' and ')}`],
    ['tokenizer', result.tokenizer ? 'there' : 'not there: text cannot be read, tokens can'],
    ...(unexpected.length === 0
      ? []
      : [['unused', `${unexpected.length} tensors: ${names}${unexpected.length > NAMES_MAX ? ' …' : ''}`]]),
  ]
  return rows.map(([name = '', text]) => `${name.padEnd(10)}  ${text}\n`).join('')
}
