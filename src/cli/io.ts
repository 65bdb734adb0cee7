/**
 * What a command may touch of the process: two writers, a signal to stop on, and whether colour is wanted.
 *
 * Tests hand in their own; process-io.ts makes the real one.
 */

/** `process.stdout` has this shape. */
export type Writer = {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export type Io = {
  /** Results, and nothing else: with `--json`, one JSON value a line. */
  readonly stdout: Writer
  /** Progress and errors, for people. */
  readonly stderr: Writer
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborts when the user or the system wants us to end. */
  readonly signal: AbortSignal
  /** Asks the person at the terminal, without an echo. Absent where nobody is. */
  readonly askSecret?: (question: string) => Promise<string>
}

export type Style = { readonly bold: (text: string) => string; readonly dim: (text: string) => string }

/** Colour is for people who look: none into files and pipes, none where https://no-color.org asks for none. */
export function styleFor(writer: Writer, env: Io['env']): Style {
  const wanted = writer.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  const sgr = (on: number, off: number) => (text: string) => (wanted ? `\u001b[${on}m${text}\u001b[${off}m` : text)
  return { bold: sgr(1, 22), dim: sgr(2, 22) }
}

export function writeJson(writer: Writer, value: unknown): void {
  writer.write(`${JSON.stringify(value)}\n`)
}

/** Text that a user typed or a peer sent must not steer the terminal it is shown on, nor break a line. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)
