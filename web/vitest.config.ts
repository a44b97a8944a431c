import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import { documents } from './docs/build/plugin'

const include = ['kit', 'console', 'desk', 'docs'].map((d) => `${d}/**/*.test.ts`)

export default defineConfig({
  test: {
    projects: [
      { plugins: [svelte({ compilerOptions: { runes: true } }), documents()], test: { name: 'plain', include, exclude: ['**/*.svelte.test.ts'] } },
      // Svelte as browsers have it, for what lives by effects.
      { plugins: [svelte({ compilerOptions: { runes: true } })], resolve: { conditions: ['browser'] }, test: { name: 'signals', include: include.map((i) => i.replace('.test.ts', '.svelte.test.ts')), environment: './kit/signals.env.ts' } },
    ],
  },
})
