import { svelte } from '@sveltejs/vite-plugin-svelte'
import { existsSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { defineConfig, minifySync, type Plugin } from 'vite'
import { documents } from './docs/build/plugin'

const root = import.meta.dirname

// Widgets that the frame of every page needs.
const frame = ['Empty', 'Failed', 'Greet', 'Help', 'Icon', 'Load', 'Logo', 'Menu', 'Offline', 'Say', 'Sheet', 'Skeleton', 'State', 'Time']

// Each page has an entry of its own; a page that is not there is left out.
const entries = ['login', 'console', 'desk', 'docs'].filter((name) => existsSync(join(root, `${name}.html`)))

// compressed writes .br and .gz beside every text, once, so that the server
// need not.
function compressed(): Plugin {
  return {
    name: 'casemate-compressed',
    apply: 'build',
    async closeBundle() {
      const dist = join(root, 'dist')
      // What lies in public/ comes as it is.
      const start = join(dist, 'start.js')
      await writeFile(start, minifySync('start.js', await readFile(start, 'utf8')).code)
      for (const file of await readdir(dist, { recursive: true })) {
        if (!/\.(js|css|html|svg)$/.test(file)) continue
        const text = await readFile(join(dist, file))
        if (text.length < 512) continue
        await writeFile(join(dist, `${file}.gz`), gzipSync(text, { level: 9 }))
        await writeFile(
          join(dist, `${file}.br`),
          brotliCompressSync(text, {
            params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: text.length },
          }),
        )
      }
    },
  }
}

const backend = process.env.CASEMATE_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  root,
  plugins: [svelte({ compilerOptions: { runes: true } }), documents(), compressed()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // the policy allows nothing inline
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: Object.fromEntries(entries.map((name) => [name, join(root, `${name}.html`)])),
      // Few files compress better than many: what every page needs lies in two, what the console needs besides in one. Parts that only pages loaded later use are left out.
      // Every part's name is said in what loads first, and a hash does not compress: seven letters of it (42 bits) tell the builds apart.
      output: { entryFileNames: 'assets/[name]-[hash:7].js', chunkFileNames: 'assets/[name]-[hash:7].js', assetFileNames: 'assets/[name]-[hash:7][extname]', codeSplitting: { groups: [
        { name: 'vendor', test: /node_modules\/(svelte|@tanstack\/(?!virtual-core)|sv-router|openapi-fetch|esm-env|clsx)\b(?!.*(?:nfiniteQuery|shared\/clone|bindings\/(?:select|input|shared|universal)))/, priority: 2 },
        { name: 'kit', test: new RegExp(`/kit/(?:(?:api|errors|i18n|keys|prefs|query|router|say|session|text|time)[.a-z]*|base.css|widgets/(?:${frame.join('|')}).svelte.*)$`), priority: 1 },
        { name: 'console-frame', test: /\/console\/(?:data|title\.svelte|router|menu|Shell|Home|TicketRow|Tags|texts)\.(?:ts|svelte)(?:\?.*)?$|\/console\/screens\/Home\.svelte/, priority: 0 },
        { name: 'texts', test: /\/kit\/knowledge\/(?:tags|texts)\.ts$/, priority: 0 }, // each part is named in what loads first
      ] } },
    },
    reportCompressedSize: false,
  },
  server: { proxy: Object.fromEntries(['/v2', '/v3', '/web', '/desk/v1', '/files'].map((path) => [path, backend])) },
})
