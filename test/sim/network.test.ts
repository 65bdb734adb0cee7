import { expect, test } from 'vitest'
import { SimulatedClock } from 'xstate'
import { ACCEPT, ignore, reject, type Verdict } from '../../src/protocol/verdict.ts'
import { createSimNetwork } from '../../src/sim/network.ts'
import { createRandom } from '../../src/sim/random.ts'
import { never } from '../contracts/harness.ts'

const DELAY_MS_MAX = 100
const MESSAGES = 200

/** When each of many messages from one peer reached another; none, when it was lost. */
async function arrivals(seed: string, lossRatio: number): Promise<ReadonlyMap<number, number>> {
  const clock = new SimulatedClock()
  const network = createSimNetwork({ delayMsMax: DELAY_MS_MAX, lossRatio }, { clock, random: createRandom(seed) })
  const [sender, receiver] = [network.join('sender'), network.join('receiver')]
  const arrived = new Map<number, number>()
  receiver.subscribe('record', (_, [number = -1]) => {
    arrived.set(number, clock.now())
    return ACCEPT
  })
  for (let i = 0; i < MESSAGES; i++) await sender.publish('record', Uint8Array.of(i), { signal: never })
  for (let ms = 0; ms <= DELAY_MS_MAX; ms++) clock.increment(1)
  return arrived
}

test('the seed decides who hears what and when', async () => {
  expect(await arrivals('1', 0.3)).toEqual(await arrivals('1', 0.3))
  expect(await arrivals('1', 0.3)).not.toEqual(await arrivals('2', 0.3))
})

test('without loss everything arrives, within the delay and out of order', async () => {
  const arrived = await arrivals('1', 0)
  expect(arrived.size).toBe(MESSAGES)
  expect(Math.max(...arrived.values())).toBeLessThanOrEqual(DELAY_MS_MAX + 1)
  expect(new Set(arrived.values()).size).toBeGreaterThan(MESSAGES / 4)
  expect([...arrived.keys()]).not.toEqual([...arrived.keys()].toSorted((a, b) => a - b))
})

test.each([0.1, 0.5, 0.9])('about as much is lost as was asked for: %f', async (lossRatio) => {
  const lost = 1 - (await arrivals('loss', lossRatio)).size / MESSAGES
  expect(Math.abs(lost - lossRatio)).toBeLessThan(0.1)
})

test('all of it may be lost', async () => {
  expect((await arrivals('1', 1)).size).toBe(0)
})

test('how messages were judged is counted', async () => {
  const clock = new SimulatedClock()
  const options = { delayMsMax: DELAY_MS_MAX, lossRatio: 0 }
  const network = createSimNetwork(options, { clock, random: createRandom('verdicts') })
  const sender = network.join('sender')
  const verdicts: Verdict[] = [ACCEPT, ignore('EARLY'), reject('KIND_WRONG', 'what a peer sent')]
  for (const [i, verdict] of verdicts.entries()) network.join(`${i}`).subscribe('reveal', () => verdict)
  network.join('deaf')
  for (let i = 0; i < 2; i++) await sender.publish('reveal', Uint8Array.of(1), { signal: never })
  clock.increment(DELAY_MS_MAX)
  expect(network.verdicts).toEqual(
    new Map([
      ['reveal/accept', 2],
      ['reveal/ignore/EARLY', 2],
      ['reveal/reject/KIND_WRONG', 2],
    ]),
  )
})

test('who comes back takes the place of what it was', async () => {
  const clock = new SimulatedClock()
  const options = { delayMsMax: DELAY_MS_MAX, lossRatio: 0 }
  const network = createSimNetwork(options, { clock, random: createRandom('again') })
  const heard: string[] = []
  const hearAs = (name: string) => () => {
    heard.push(name)
    return ACCEPT
  }
  network.join('one').subscribe('card', hearAs('before'))
  network.join('one').subscribe('card', hearAs('after'))
  await network.join('two').publish('card', Uint8Array.of(1), { signal: never })
  clock.increment(DELAY_MS_MAX)
  expect(heard).toEqual(['after'])
})
