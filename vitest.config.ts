/** Unit and simulation tests: everything under test/ but the real processes of test/e2e. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/e2e/**', 'test/parity/**'],
    testTimeout: 60_000, // for what hangs; a busy machine is no failure
  },
})
