// How fast the pages are on a machine four times slower: the largest paint, the
// time to the next paint behind a key or click, and a change made by the API.
import type { CDPSession, Page } from '@playwright/test'
import { cpus, loadavg } from 'node:os'
import { toList, toTicket } from './desk-screens'
import { expect, signIn, signInHouse, test } from './world'

const slow = async (page: Page): Promise<CDPSession> => {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 })
  return cdp
}
/** Watches paints and interactions from the page's first moment. */
const watch = (page: Page) =>
  page.addInitScript(() => {
    const seen = { lcp: 0, what: '', inp: [] as { name: string; ms: number }[], long: 0 }
    Object.assign(window, { seen })
    new PerformanceObserver((l) => {
      for (const e of l.getEntries()) {
        seen.lcp = e.startTime
        seen.what = ((e as unknown as { element?: Element }).element?.textContent ?? '').trim().slice(0, 24)
      }
    }).observe({ type: 'largest-contentful-paint', buffered: true })
    new PerformanceObserver((l) => {
      for (const e of l.getEntries()) if ((e as unknown as { interactionId: number }).interactionId > 0) seen.inp.push({ name: `${e.name} ${document.querySelector('dialog[open]') === null ? '' : 'in a layer'}`.trim(), ms: e.duration })
    }).observe({ type: 'event', buffered: true, durationThreshold: 16 } as PerformanceObserverInit)
    new PerformanceObserver((l) => {
      for (const e of l.getEntries()) seen.long = Math.max(seen.long, e.duration)
    }).observe({ type: 'longtask', buffered: true })
  })
interface Seen {
  lcp: number
  what: string
  inp: { name: string; ms: number }[]
  long: number
}
const seen = (page: Page) => page.evaluate(() => (window as unknown as { seen: Seen }).seen)
const worst = (s: Seen) => Math.round(Math.max(0, ...s.inp.map((i) => i.ms)))
/** The limits are for a machine that does nothing else; on a busy one the figures are told, and only what is far off fails. */
const limit = (ms: number) => ((loadavg()[0] ?? 0) <= cpus().length ? ms : 3 * ms)
const middle = (all: number[]) => Math.round([...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0)

async function paints(page: Page, path: string, ready: string): Promise<number[]> {
  const all: number[] = []
  for (let i = 0; i < 5; i++) {
    await page.goto(path)
    await expect(page.locator(ready).first()).toBeVisible()
    await page.waitForTimeout(800)
    const s = await seen(page)
    all.push(s.lcp)
    last = s.what
  }
  return all
}
let last = '' // what painted last and largest

test('the console: largest paint and interactions, four times slower', async ({ page, world }) => {
  test.setTimeout(120_000)
  await watch(page)
  await signIn(page, world, 'yunfan')
  const cdp = await slow(page)
  const lcp = await paints(page, '/console', 'main h1')
  const first = last
  const lists = await paints(page, '/console/tickets', 'main h1')
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.keyboard.press('?')
  await page.keyboard.press('Escape')
  await page.waitForTimeout(600)
  const s = await seen(page)
  await cdp.detach()
  console.log('console', JSON.stringify({ lcp: middle(lcp), of: first, tickets: middle(lists), what: last, inp: worst(s), all: s.inp, long: Math.round(s.long), load: loadavg()[0] }))
  expect(middle(lcp)).toBeLessThanOrEqual(limit(1000))
  expect(middle(lists)).toBeLessThanOrEqual(limit(1000))
  expect(worst(s)).toBeLessThanOrEqual(limit(100))
})

test('the desk: largest paint and interactions, four times slower', async ({ page, world }) => {
  test.setTimeout(180_000)
  await watch(page)
  await signInHouse(page, world, 'chen')
  const cdp = await slow(page)
  const lcp = await paints(page, '/desk/q/open', 'a[data-number]')
  const first = last
  const name = (await page.locator('a[data-number]').first().getAttribute('data-number')) ?? ''
  const tickets = await paints(page, `/desk/t/${name}`, 'main .msg')
  await toList(page, 'open')
  for (const key of ['j', 'j', 'j', 'k', 'x', 'x']) {
    await page.keyboard.press(key)
    await page.waitForTimeout(80)
  }
  const listed = worst(await seen(page))
  await page.keyboard.press('Enter')
  await expect(page.locator('main .msg').first()).toBeVisible()
  await page.waitForTimeout(600)
  const opened = worst(await seen(page))
  await page.locator('#tab-note').click()
  await page.locator('.comp textarea').pressSequentially('写一句内部备注，看看输入是否流畅', { delay: 30 })
  await page.waitForTimeout(400)
  const typed = worst(await seen(page))
  await page.locator('main h1').click()
  await page.keyboard.press('Control+k')
  await expect(page.locator('dialog[open] [role=option]').first()).toBeVisible()
  await page.keyboard.type('数据库')
  await page.waitForTimeout(800)
  await page.keyboard.press('Escape')
  await page.waitForTimeout(400)
  const s = await seen(page)
  await cdp.detach()
  const slowest = [...s.inp].sort((a, b) => b.ms - a.ms).slice(0, 5)
  console.log('desk', JSON.stringify({ lcp: middle(lcp), what: first, ticket: middle(tickets), said: last, load: loadavg()[0], list: listed, open: opened, type: typed, palette: worst(s), of: s.inp.length, slowest, long: Math.round(s.long) }))
  expect(middle(lcp)).toBeLessThanOrEqual(limit(1000))
  expect(middle(tickets)).toBeLessThanOrEqual(limit(1000))
  expect(worst(s)).toBeLessThanOrEqual(limit(100))
})

test('what the API makes is on the desk within a second, without a reload', async ({ page, world }) => {
  test.setTimeout(60_000)
  await signInHouse(page, world, 'chen')
  await toTicket(page)
  await page.goto('/desk/q/unassigned')
  await expect(page.locator('a[data-number]').first()).toBeVisible()
  await page.waitForTimeout(1000) // the stream stands
  const d = world.domains[0]
  const u = d?.users.find((x) => x.name === 'lihua')
  const r = await fetch(`${world.base}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: u?.name, password: u?.password, domain: { name: d?.domain_name } } } }, scope: { domain: { name: d?.domain_name } } } }),
  })
  const token = r.headers.get('X-Subject-Token') ?? ''
  const call = async (method: string, path: string, body?: unknown) => {
    const a = await fetch(world.base + path, { method, headers: { 'X-Auth-Token': token, 'X-Language': 'zh-cn', 'Content-Type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) })
    const text = await a.text()
    if (!a.ok) throw new Error(`${method} ${path}: ${a.status} ${text}`)
    return JSON.parse(text) as Record<string, unknown>
  }
  const { incident_business_type_list: kinds } = (await call('GET', '/v2/servicerequest/config/problems?product_category_id=b5f0be5c9639466184abf80e01f9fa1d')) as { incident_business_type_list: { business_type_id: string; case_type: string }[] }
  const kind = kinds.find((k) => k.case_type === '0')?.business_type_id
  const took: number[] = []
  for (let i = 0; i < 5; i++) {
    const before = Number(/\d+/.exec((await page.locator('.fresh').textContent({ timeout: 200 }).catch(() => '')) ?? '')?.[0] ?? 0)
    const counts = page.locator('nav a', { hasText: '未分派' }).locator('.num')
    const had = Number(await counts.textContent())
    const began = Date.now()
    await call('POST', '/v2/servicerequest/cases', { business_type_id: kind, simple_description: `来自接口的第 ${i} 张`, source_id: '83aeb0f2834c4df49826c781d32a963e' })
    await expect(page.locator('.fresh')).toContainText(`${before + 1} 张新工单`, { timeout: 5000 })
    took.push(Date.now() - began)
    await expect(counts).toHaveText(String(had + 1), { timeout: 5000 })
    await page.waitForTimeout(1200)
  }
  console.log('from the call to the screen, ms', JSON.stringify(took))
  await page.locator('.fresh').click()
  await expect(page.locator('a[data-number]', { hasText: '来自接口的第 4 张' })).toBeVisible()
  expect(middle(took)).toBeLessThanOrEqual(limit(1000))
})
