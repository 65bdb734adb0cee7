/** Machines of their own on one computer: network namespaces with cables between them, routers that hide who is behind them. */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const REPO = fileURLToPath(new URL('../..', import.meta.url))
const prefix = `ww${process.pid}-`
const ip = (...words: readonly string[]): string => execFileSync('ip', words, { encoding: 'utf8', stdio: 'pipe' })

/** What this computer lacks for it, said aloud, or null. */
export function whyNoBench(...tools: readonly string[]): string | null {
  const why = lack(['ip', ...tools])
  if (why !== null) console.warn(`skipped: ${why}`)
  return why
}

function lack(tools: readonly string[]): string | null {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const missing = tools.find((tool) => spawnSync(tool, ['-V']).error !== undefined)
  if (missing !== undefined) return `the program ${missing} is not installed`
  try {
    ip('netns', 'add', `${prefix}try`)
    ip('netns', 'del', `${prefix}try`)
    return null
  } catch (error) {
    return `there are no network namespaces here: ${String(error)}`
  }
}

export type Machine = {
  readonly name: string
  /** Runs `ip` there. */
  readonly ip: (...words: readonly string[]) => string
  readonly nft: (rules: string) => void
  readonly set: (key: string, value: string) => void
  readonly node: (words: readonly string[], options: SpawnOptions) => ChildProcess
}
export type Bench = {
  readonly machine: (name: string) => Machine
  /** A cable between two of them, whose ends have these names there. */
  readonly cable: (from: readonly [Machine, string], to: readonly [Machine, string]) => void
  readonly stop: () => void
}

export function createBench(): Bench {
  const machines: string[] = []
  const children: ChildProcess[] = []
  const machine = (name: string): Machine => {
    const space = `${prefix}${name}`
    // Who asks for names asks this one, and not whom the computer asks.
    mkdirSync(`/etc/netns/${space}`, { recursive: true })
    writeFileSync(`/etc/netns/${space}/resolv.conf`, 'nameserver 5.0.0.53\n')
    ip('netns', 'add', space)
    machines.push(space)
    const within = (program: string, words: readonly string[], input?: string) =>
      execFileSync('ip', ['netns', 'exec', space, program, ...words], { encoding: 'utf8', stdio: 'pipe', input })
    ip('-n', space, 'link', 'set', 'lo', 'up')
    // Nothing that the kernel says by itself shall be counted.
    within('sysctl', ['-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1'])
    return {
      name: space,
      ip: (...words) => ip('-n', space, ...words),
      nft: (rules) => void within('nft', ['-f', '-'], rules),
      set: (key, value) => void within('sysctl', ['-qw', `${key}=${value}`]),
      node: (words, options) => {
        const quiet = ['--import', `${REPO}bin/quiet.js`]
        const child = spawn('ip', ['netns', 'exec', space, process.execPath, ...quiet, ...words], {
          cwd: REPO,
          ...options,
        })
        children.push(child)
        return child
      },
    }
  }
  return {
    machine,
    cable: ([from, fromEnd], [to, toEnd]) =>
      void ip('link', 'add', fromEnd, 'netns', from.name, 'type', 'veth', 'peer', 'name', toEnd, 'netns', to.name),
    stop: () => {
      for (const child of children) child.kill('SIGKILL')
      for (const space of machines) {
        ip('netns', 'del', space)
        rmSync(`/etc/netns/${space}`, { recursive: true, force: true })
      }
    },
  }
}

/** Machines with public addresses that reach one another; nothing of it leaves this computer. */
export function createInternet(bench: Bench) {
  const middle = bench.machine('middle')
  middle.ip('link', 'add', 'net', 'type', 'bridge')
  middle.ip('link', 'set', 'net', 'up')
  let ends = 0
  const join = (name: string, address: string): Machine => {
    const machine = bench.machine(name)
    const end = `end${ends++}`
    bench.cable([machine, 'out'], [middle, end])
    middle.ip('link', 'set', end, 'master', 'net', 'up')
    machine.ip('addr', 'add', `${address}/8`, 'dev', 'out')
    machine.ip('link', 'set', 'out', 'up')
    return machine
  }
  /** A machine behind a router that lets nobody in who was not asked: a home. */
  const hide = (name: string, address: string): Machine => {
    const router = join(`${name}-router`, address)
    const home = bench.machine(name)
    bench.cable([router, 'in'], [home, 'out'])
    router.ip('addr', 'add', '192.168.1.1/24', 'dev', 'in')
    router.ip('link', 'set', 'in', 'up')
    router.set('net.ipv4.ip_forward', '1')
    router.nft(NAT)
    home.ip('addr', 'add', '192.168.1.2/24', 'dev', 'out')
    home.ip('link', 'set', 'out', 'up')
    home.ip('route', 'add', 'default', 'via', '192.168.1.1')
    return home
  }
  return { join, hide }
}

const NAT = `
table ip nat {
  chain out { type nat hook postrouting priority 100; oifname "out" masquerade; }
}
table ip door {
  chain pass {
    type filter hook forward priority 0; policy drop;
    iifname "in" accept
    ct state established,related accept
  }
}
`

type Counters = { readonly rx: { readonly bytes: number }; readonly tx: { readonly packets: number } }

/** What the machine has said and heard through this end of a cable. */
export function countersOf(machine: Machine, end: string): Counters {
  const [{ stats64 }] = JSON.parse(machine.ip('-j', '-s', 'link', 'show', end))
  return stats64
}
