/** `wheelwright doctor`: every check at once, one line for each; what is wrong comes with its remedy. */
import { NodeError } from '../errors.ts'
import type { FlagValues } from './command.ts'
import {
  chainFindings,
  deviceFindings,
  diskFinding,
  entryFindings,
  type Finding,
  nodeFinding,
  portFinding,
  walletFinding,
} from './doctor-check.ts'
import type { DOCTOR_FLAGS } from './doctor-table.ts'
import { type Io, printable, styleFor, writeJson } from './io.ts'
import { listOf } from './peer-flags.ts'
import { walletDirOf } from './wallet-open.ts'

export async function run(flags: FlagValues<typeof DOCTOR_FLAGS>, io: Io): Promise<void> {
  const { dir, network, netuid, json } = flags
  const found = await Promise.all([
    nodeFinding(process.versions.node),
    diskFinding(dir),
    ...listOf(flags.listen).map(portFinding),
    walletFinding(walletDirOf(flags)),
    deviceFindings(io),
    ...(network === undefined ? [] : [chainFindings({ network, netuid }, io)]),
    ...(flags.entry === '' ? [] : [entryFindings(flags.entry, io)]),
  ])
  io.signal.throwIfAborted()
  const findings = found.flat()
  for (const finding of findings) {
    if (json) writeJson(io.stdout, { ok: finding.remedy === undefined, ...finding })
    else io.stdout.write(textOf(finding, io))
  }
  const problems = findings.filter(({ remedy }) => remedy !== undefined)
  if (problems.length === 0) return
  throw new NodeError('MACHINE_UNFIT', {
    what: problems.length === 1 ? 'one thing must be mended' : `${problems.length} things must be mended`,
    why: problems.map(({ check }) => check).join(', '),
    data: { problems: problems.length },
  })
}

function textOf({ check, what, remedy, hint }: Finding, io: Io): string {
  const { bold, dim } = styleFor(io.stdout, io.env)
  const state = remedy !== undefined ? bold('problem') : hint !== undefined ? 'absent ' : 'ok     '
  const advice = remedy ?? hint
  const tail = advice === undefined ? '' : ` → ${dim(printable(advice))}`
  return `${state}  ${check.padEnd(8)} ${printable(what)}${tail}\n`
}
