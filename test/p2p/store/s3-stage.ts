/** An S3 server in a process of its own, and what another process needs to find it. */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type S3Server = {
  readonly bucket: string
  /** The variables that all of Amazon's tools read. */
  readonly env: Readonly<Record<string, string>>
  readonly stop: () => Promise<void>
}

/** The only key that it knows. */
const KEY = 'S3RVER'

export async function startS3(): Promise<S3Server> {
  const dir = mkdtempSync(join(tmpdir(), 's3-'))
  const bucket = 'checkpoints'
  const child = fork(join(import.meta.dirname, 's3-server.js'), [dir, bucket], {
    // Its tokens for long lists are made with a cipher that OpenSSL hides.
    execArgv: ['--no-deprecation', '--openssl-legacy-provider'],
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (told: { readonly port: number }) => resolve(told.port))
    void ended.then(() => reject(new Error('the S3 server ended')))
  })
  return {
    bucket,
    env: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: KEY,
      AWS_SECRET_ACCESS_KEY: KEY,
    },
    stop: async () => {
      child.kill('SIGKILL')
      await ended
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
