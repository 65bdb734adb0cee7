/** A log that keeps its last lines in memory, for whoever wants to know what a node had to say. */
import type { Log, LogFields } from '../../src/ports.ts'

const LINES_MAX = 1_000

export type SimLog = {
  readonly log: Log
  /** The last ones above debug, oldest first. */
  readonly lines: readonly string[]
}

export function createSimLog(): SimLog {
  const lines: string[] = []
  const writeAs =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      if (lines.length === LINES_MAX) lines.shift()
      lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
    }
  return {
    log: { debug: () => undefined, info: writeAs('info'), warn: writeAs('warn'), error: writeAs('error') },
    lines,
  }
}
