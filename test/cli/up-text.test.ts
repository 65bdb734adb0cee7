import { expect, test } from 'vitest'
import { troubleText } from '../../src/cli/up-text.ts'
import type { NodeEvent } from '../../src/event.ts'

const STYLE = { bold: (text: string) => text, dim: (text: string) => text }
const failed = (cycle: number, step: string, code: string): NodeEvent => ({
  type: 'step.failed',
  cycle,
  step,
  code,
  what: 'it did not end',
  at: 7,
  node: 'somebody',
})

test('a cycle that did not settle says what failed most often, and what helps', () => {
  const events = [
    failed(0, 'report', 'WINDOW_MISSED'),
    failed(1, 'train', 'STEP_LATE'),
    ...Array.from({ length: 12 }, () => failed(0, 'evaluate', 'EVALUATION_LATE')),
  ]
  const text = troubleText(events, 0, STYLE)
  expect(text).toContain('cycle 0: not settled')
  expect(text).toMatch(/ 12 × evaluate EVALUATION_LATE\n +1 × report WINDOW_MISSED\n/)
  expect(text).not.toContain('train')
  expect(text).toContain('--block-ms')
})
