// Vitest without a browser, with Svelte as browsers have it: effects run.
import type { Environment } from 'vitest/environments'

export default {
  name: 'signals',
  viteEnvironment: 'client',
  setup() {
    return { teardown() {} }
  },
} satisfies Environment
