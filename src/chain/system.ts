/** What a program that has no clock, chance or log of its own gives to a client: those of the system, and silence. */
import type { Clock, Log, Random } from '../ports.ts'

export const SYSTEM: { readonly clock: Clock; readonly random: Random; readonly log: Log } = {
  // Never goes back while this process lives, and what it says orders the messages of two runs.
  clock: { now: () => performance.timeOrigin + performance.now(), setTimeout, clearTimeout },
  random: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
  log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
}
