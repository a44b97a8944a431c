import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import { documents } from './docs/build/plugin'

export default defineConfig({
  plugins: [svelte({ compilerOptions: { runes: true } }), documents()],
  test: { include: ['kit/**/*.test.ts', 'console/**/*.test.ts', 'desk/**/*.test.ts', 'docs/**/*.test.ts'] },
})
