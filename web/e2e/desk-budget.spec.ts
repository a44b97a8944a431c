// What the desk's first page weighs, and how its list bears many tickets.
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

test('a queue of 10,000 scrolls smoothly and keeps few rows in the page', async ({ page, world }) => {
  test.setTimeout(90_000)
  await signInHouse(page, world, 'chen')
  const row = (i: number) => ({
    number: `TS${String(i).padStart(8, '0')}`, version: 1, status: i % 2, status_name: '', domain_id: 'd', domain_name: `客户 ${i}`, description: `第 ${i} 张工单，描述写得比一行还要长一些`, severity_name: '业务系统受损', urges: i % 7,
    due_at: new Date(Date.now() + (i - 20) * 60_000).toISOString(), due_kind: 'first_answer', created_at: new Date(Date.now() - 3_600_000).toISOString(), updated_at: new Date(Date.now() - 60_000).toISOString(),
  })
  await page.route('**/desk/v1/queues/open/tickets?*', (r) => {
    const from = Number(new URL(r.request().url()).searchParams.get('cursor') ?? 0)
    const items = Array.from({ length: 100 }, (_, i) => row(from + i + 1))
    return r.fulfill({ json: { items, total_count: 10_000, ...(from + 100 < 10_000 ? { next_cursor: String(from + 100) } : {}) } })
  })
  await page.goto('/desk/q/open')
  await expect(page.locator('a[data-number]').first()).toBeVisible()
  const longest = await page.evaluate(async () => {
    const box = document.querySelector('.box') as HTMLElement
    const frame = () => new Promise<number>((r) => requestAnimationFrame(r))
    const busy: number[] = []
    new PerformanceObserver((l) => busy.push(...l.getEntries().map((e) => e.duration))).observe({ type: 'longtask' })
    let still = 0
    while (still < 120) {
      const before = box.scrollTop
      box.scrollTop += 600
      await frame()
      still = box.scrollTop === before ? still + 1 : 0
    }
    return { longest: Math.max(0, ...busy), end: box.scrollTop, rows: box.querySelectorAll('li').length }
  })
  test.info().annotations.push({ type: 'longest task', description: `${longest.longest} ms` })
  expect(longest.end).toBeGreaterThan(9_900 * 66)
  expect(longest.rows).toBeLessThan(80)
  await expect(page.locator('a[data-number="TS00010000"]')).toBeVisible()
  expect(longest.longest).toBeLessThan(process.env.CI === undefined ? 250 : 50) // a task of a busy machine is no frame of ours
})
