/** The ports that the system itself gives to a command: its clock, its chance, and a log that nobody reads. */
import type { Clock, Log, Random } from '../ports.ts'

/** Never goes back while this process lives, and what it says orders the cards of two runs. */
export const CLOCK: Clock = { now: () => performance.timeOrigin + performance.now(), setTimeout, clearTimeout }
export const RANDOM: Random = { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) }
export const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}
