/** An engine's process: it hears its parent, and ends with it. */
import { serveEngine } from '../gpu/worker/host.ts'

process.on('disconnect', () => process.exit())
serveEngine(
  (message) => void process.send?.(message),
  (listener) => process.on('message', listener),
)
