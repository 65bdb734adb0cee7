/**
 * A bar for what takes long, on the terminal of whoever waits: how far, how fast, from how many, how much longer.
 *
 * It is one line that is written over again; files and pipes get nothing of it.
 */
import type { Clock } from '../ports.ts'
import type { Io } from './io.ts'

export type ProgressState = {
  readonly doneBytes: number
  /** 0 while nobody knows. */
  readonly totalBytes: number
  /** Peers that it comes from, where it comes from peers. */
  readonly sources?: number
  /** What else is worth seeing while one waits. */
  readonly note?: string
}
export type Progress = {
  readonly update: (state: ProgressState) => void
  /** Leaves an empty line behind. */
  readonly end: () => void
}

const BAR_CHARS = 16
/** Where the terminal does not say. */
const COLUMNS = 80
const DRAW_MS = 100
/** A rate is that of the last few seconds: what was before says nothing of what is left. */
const RATE_MS = 5_000
const CLEAR = '\r\u001b[2K'
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** `amount` says how much something is: bytes, unless it is something else that is counted. */
export function createProgress(
  label: string,
  { stderr, env }: Pick<Io, 'stderr' | 'env'>,
  clock: Clock,
  amount: (count: number) => string = bytesText,
): Progress {
  if (stderr.isTTY !== true || env['TERM'] === 'dumb') return { update: () => undefined, end: () => undefined }
  const samples: { readonly atMs: number; readonly bytes: number }[] = []
  let drawnMs = Number.NEGATIVE_INFINITY
  return {
    update: (state) => {
      const atMs = clock.now()
      if (atMs - drawnMs < DRAW_MS) return
      drawnMs = atMs
      samples.push({ atMs, bytes: state.doneBytes })
      while (samples.length > 2 && atMs - (samples[0]?.atMs ?? 0) > RATE_MS) samples.shift()
      const line = progressLine(label, state, rateOf(samples), amount)
      // A terminal that does not know its width says 0.
      stderr.write(`${CLEAR}${line.slice(0, (stderr.columns || COLUMNS) - 1)}`)
    },
    end: () => void (drawnMs > Number.NEGATIVE_INFINITY && stderr.write(CLEAR)),
  }
}

/** Bytes a second, 0 while nobody knows. */
function rateOf(samples: readonly { readonly atMs: number; readonly bytes: number }[]): number {
  const [first] = samples
  const last = samples.at(-1)
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0
  return (1_000 * (last.bytes - first.bytes)) / (last.atMs - first.atMs)
}

export function progressLine(
  label: string,
  { doneBytes, totalBytes, sources, note }: ProgressState,
  rate: number,
  amount: (count: number) => string = bytesText,
): string {
  const share = totalBytes === 0 ? 0 : Math.min(1, doneBytes / totalBytes)
  const filled = Math.round(share * BAR_CHARS)
  const parts = [
    `${label} ${'█'.repeat(filled)}${'░'.repeat(BAR_CHARS - filled)}`,
    `${Math.floor(share * 100)} %`,
    totalBytes === 0 ? amount(doneBytes) : `${amount(doneBytes)} of ${amount(totalBytes)}`,
  ]
  if (note !== undefined) parts.push(note)
  if (rate > 0) parts.push(`${amount(rate)}/s`)
  if (sources !== undefined) parts.push(sources === 1 ? '1 source' : `${sources} sources`)
  if (rate > 0 && totalBytes > 0) parts.push(`${durationText((totalBytes - doneBytes) / rate)} left`)
  return parts.join('  ')
}

/** Three digits are enough to compare. */
export function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toPrecision(3)} ${UNITS[power]}`
}

export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds))
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60]
  const tail = String(whole % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`
}
