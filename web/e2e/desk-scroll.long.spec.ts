// How the desk's list bears many tickets.
import { cpus, loadavg } from 'node:os'
import { expect, signInHouse, test } from './world'

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
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' }) // its own time, not the others'
  const busy = async () => {
    const { metrics } = await cdp.send('Performance.getMetrics')
    return metrics.find((m) => m.name === 'TaskDuration')?.value ?? 0
  }
  const down = await page.evaluate(async () => {
    const box = document.querySelector('.box') as HTMLElement
    const frame = () => new Promise<number>((r) => requestAnimationFrame(r))
    let still = 0
    while (still < 60) {
      const before = box.scrollTop
      box.scrollTop = box.scrollHeight
      await frame()
      still = box.scrollTop === before ? still + 1 : 0
    }
    return { end: box.scrollTop }
  })
  const before = await busy()
  const back = await page.evaluate(async () => {
    const box = document.querySelector('.box') as HTMLElement
    const frame = () => new Promise<number>((r) => requestAnimationFrame(r))
    const gaps: number[] = []
    let last = await frame()
    for (let i = 0; i < 150; i++) {
      box.scrollTop -= 400
      const now = await frame()
      gaps.push(now - last)
      last = now
    }
    gaps.sort((a, b) => a - b)
    return { rows: box.querySelectorAll('li').length, middle: gaps[75] ?? 0, most: gaps.at(-1) ?? 0, over: gaps.filter((g) => g > 50).length }
  })
  const work = Math.round((((await busy()) - before) / 150) * 10_000) / 10 // ms a frame
  const seen = { ...down, ...back, work }
  test.info().annotations.push({ type: 'frames', description: JSON.stringify(seen) })
  console.log('scrolling 10,000 rows:', JSON.stringify(seen))
  expect(seen.end).toBeGreaterThan(9_900 * 66)
  expect(seen.rows).toBeLessThan(80)
  // What the page itself does for a frame, however busy the machine is; and of 150
  // frames of a quiet machine two may belong to whatever else it does.
  expect(seen.middle).toBeLessThan(34)
  expect(work).toBeLessThan(16)
  if ((loadavg()[0] ?? 0) <= cpus().length) expect(seen.over).toBeLessThanOrEqual(2)
})
