// What the desk's first page weighs, as the browser gets it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { toList } from './desk-screens'
import { expect, signInHouse, test } from './world'

const dist = join(import.meta.dirname, '../dist')

test('the desk loads with at most 110 kB of script and style, its parts with at most 100', async ({ page, world }) => {
  await signInHouse(page, world, 'chen')
  const got = new Set<string>()
  page.on('request', (r) => {
    const file = /\/assets\/([^?]+\.(?:js|css))$/.exec(r.url())?.[1]
    if (file !== undefined) got.add(file)
  })
  await toList(page)
  const weight = (file: string) => gzipSync(readFileSync(join(dist, 'assets', file)), { level: 9 }).length
  const sum = [...got].reduce((a, f) => a + weight(f), 0)
  test.info().annotations.push({ type: 'first load', description: `${Math.round(sum / 1024)} KiB` })
  expect(got.size).toBeGreaterThan(3)
  expect(sum).toBeLessThanOrEqual(110_000)
  for (const f of readdirSync(join(dist, 'assets')).filter((f) => /\.(js|css)$/.test(f))) expect(weight(f), f).toBeLessThanOrEqual(100_000)
})
