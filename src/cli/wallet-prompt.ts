/** Asks for a secret on a terminal without showing what is typed. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { NodeError } from '../errors.ts'

export type Terminal = { readonly input: NodeJS.ReadableStream; readonly output: { write(text: string): unknown } }

/** Ends with INTERRUPTED at Ctrl-C, at the end of the input, and when the signal aborts. */
export function askSecret({ input, output }: Terminal, question: string, signal: AbortSignal): Promise<string> {
  /** The line editor echoes into this. */
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input, output: nowhere, terminal: true, historySize: 0 })
  output.write(question)
  return new Promise<string>((resolve, reject) => {
    const stop = (): void => reader.close()
    signal.addEventListener('abort', stop)
    reader.on('line', (line) => {
      resolve(line)
      reader.close()
    })
    reader.on('SIGINT', stop)
    reader.on('close', () => {
      signal.removeEventListener('abort', stop)
      output.write('\n')
      // Nothing happens when a line came first.
      reject(new NodeError('INTERRUPTED', { what: 'stopped', why: 'no password was typed' }))
    })
    if (signal.aborted) stop()
  })
}
