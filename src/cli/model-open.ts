/** What the commands of `wheelwright model` share: words into tasks for the engine. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NodeError } from '../errors.ts'
import { chooseDevice } from '../gpu/backend/choose.ts'
import type { Device } from '../gpu/backend/device.ts'
import { probe } from '../gpu/backend/probe.ts'
import type { Machine, SourceSpec } from '../gpu/worker/job.ts'
import type { Io } from './io.ts'
import { listOf } from './peer-flags.ts'

export const usage = (what: string, why: string): NodeError => new NodeError('USAGE', { what, why })

export function directoryOf(word: string | undefined): string {
  if (word === undefined) throw usage('no model was named', 'its directory is the first word after the command')
  return word
}

type MachineFlags = { readonly device: string; readonly threads: number | undefined }

/** Tried before there is anything to lose; what nobody has chosen by name is told. */
export async function machineOf({ device, threads }: MachineFlags, { signal, stderr }: Io): Promise<Machine> {
  const choice = await chooseDevice(device as Device | 'auto', { probe: (each) => probe(each, { signal }) })
  if (choice.told !== null) stderr.write(`${choice.told}\n`)
  return { device: choice.device, threads: threads ?? null }
}

type Source = { readonly tokens: string | undefined; readonly text: string | undefined; readonly sequence: number }

/** Exactly one of the two; packed tokens go beside what is written, or where nobody looks. */
export function sourceOf({ tokens, text, sequence }: Source, textFlag: string, packed: string | null): SourceSpec {
  if ((tokens === undefined) === (text === undefined)) {
    throw usage(`--tokens or --${textFlag}`, 'one of the two says what to read, and not both')
  }
  if (tokens !== undefined) return { kind: 'tokens', path: tokens }
  return {
    kind: 'text',
    paths: listOf(text ?? ''),
    places: sequence,
    packed: packed ?? join(tmpdir(), `wheelwright-tokens-${crypto.randomUUID()}.bin`),
  }
}

/** A number that is written with a point, or as 1e-3. */
export function numberOf(flag: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= min && value <= max) return value
  throw usage(`--${flag} ${text}`, `it is a number from ${min} to ${max}`)
}
