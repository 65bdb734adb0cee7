/** A script that knows nothing of us, against the development chain as users start it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')

function start(...args: readonly string[]) {
  const child = spawn(process.execPath, args, { cwd: ROOT })
  let out = ''
  let err = ''
  child.stdout.on('data', (data) => (out += String(data)))
  child.stderr.on('data', (data) => (err += String(data)))
  const line = async (): Promise<Record<string, unknown>> => {
    while (!out.includes('\n')) {
      await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
      if (child.exitCode !== null && !out.includes('\n')) expect.fail(`it ended with ${child.exitCode}: ${err}`)
    }
    return JSON.parse(out)
  }
  return { child, line }
}

test('registers, stakes, commits, sets weights, waits for the epoch and reads what was earned', async () => {
  const chain = start('bin/wheelwright.js', 'chain', '--port', '0', '--block-ms', '250', '--json')
  try {
    const { url } = await chain.line()
    const seen = await start('test/e2e/chain-script.js', String(url)).line()
    const { validator, miner } = seen as { validator: number; miner: number }
    const of = (name: string, uid: number) => (seen[name] as readonly unknown[])[uid]
    expect(of('permits', validator)).toBe(true)
    expect(seen['weights']).toEqual([[miner, 65_535]])
    expect([of('incentive', miner), of('dividends', validator)]).toEqual([65_535, 65_535])
    expect(Number(of('emission', miner))).toBeGreaterThan(0)
    expect(Number(of('emission', validator))).toBeGreaterThan(0)
    expect(seen['commitment']).toEqual([{ raw5: '0x68656c6c6f' }])
    expect(seen['axon']).toMatchObject({ ip: 0x01020304, port: 8091 })
    expect(seen['neurons']).toHaveLength(3)
    expect(seen['metagraph']).toBe(true)
  } finally {
    chain.child.kill()
  }
})
