// How fast the pages are on a machine four times slower: the largest paint, the
// time to the next paint behind a key or click, and a change made by the API.
import type { CDPSession, Page } from '@playwright/test'
import { customer, keyOf, problemType, signed, source } from './api'
import { measured, type Limit } from './calm'
import { toList } from './desk-screens'
import { expect, signIn, signInHouse, streams, test } from './world'

/** A measure on a processor four times slower; before and after it has its pace, or the machine would never be calm. */
const slow = (cdp: CDPSession, measure: () => Promise<Limit[]>) => async () => {
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 })
  try {
    return await measure()
  } finally {
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: 1 })
  }
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
const middle = (all: number[]) => Math.round([...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0)

async function paints(page: Page, path: string, ready: string): Promise<number[]> {
  const all: number[] = []
  for (let i = 0; i < 5; i++) {
    await page.goto(path)
    await expect(page.locator(ready).first()).toBeVisible()
    await page.waitForTimeout(800)
    all.push((await seen(page)).lcp)
  }
  return all
}

/** The slowest interaction of the page since it was opened, and which it was. */
const inp = async (page: Page, of: string): Promise<Limit> => {
  await page.waitForTimeout(500) // events are told of behind their paint
  const s = await seen(page)
  const slowest = [...s.inp].sort((a, b) => b.ms - a.ms)[0]
  return { what: `INP ${of}${slowest === undefined ? '' : ` (${slowest.name} of ${s.inp.length})`}`, got: worst(s), most: 100 }
}
/** Starts anew for the next act. */
const anew = (page: Page) => page.evaluate(() => void ((window as unknown as { seen: Seen }).seen.inp.length = 0))

test('the console: largest paint and interactions, four times slower', async ({ page, world }) => {
  test.setTimeout(20 * 60_000)
  await watch(page)
  await signIn(page, world, 'yunfan')
  const cdp = await page.context().newCDPSession(page)
  await measured('console', slow(cdp, async () => {
    const all: Limit[] = []
    for (const [what, path] of [['home', '/console'], ['tickets', '/console/tickets'], ['new', '/console/new']] as const) all.push({ what: `LCP ${what} ms`, got: middle(await paints(page, path, 'main h1')), most: 1000 })
    // A ticket is written: a product is searched for, the text typed.
    await page.getByLabel('搜索产品').pressSequentially('ecs', { delay: 60 })
    await page.getByRole('button', { name: /弹性云服务器/ }).click()
    await page.getByRole('button', { name: /远程登录/ }).click()
    all.push(await inp(page, 'choosing a product'))
    await anew(page)
    await page.locator('#text').pressSequentially('三台云服务器从 09:10 起无法登录，提示 Permission denied', { delay: 30 })
    all.push(await inp(page, 'typing the text'))
    await page.getByRole('button', { name: '清空草稿' }).click()

    await page.goto('/console/tickets')
    await expect(page.locator('.tickets a.row').first()).toBeVisible()
    for (const status of ['1', '2', '3']) {
      await page.locator(`main a[href*="status=${status}"]`).first().click()
      await expect(page).toHaveURL(new RegExp(`status=${status}`))
      await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
    }
    all.push(await inp(page, 'switching filters'))
    await page.goto('/console/tickets')
    await expect(page.locator('.tickets a.row').first()).toBeVisible()
    for (const key of ['j', 'j', '?', 'Escape']) {
      await page.keyboard.press(key)
      await page.waitForTimeout(80)
    }
    all.push(await inp(page, 'keys in the list'))
    await anew(page)
    await page.locator('.tickets a.row').first().click()
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    all.push(await inp(page, 'opening a ticket'))
    return all
  }))
  await cdp.detach()
})

test('the desk: largest paint and interactions, four times slower', async ({ page, world }) => {
  test.setTimeout(20 * 60_000)
  await watch(page)
  await signInHouse(page, world, 'chen')
  const cdp = await page.context().newCDPSession(page)
  await toList(page, 'open')
  const name = (await page.locator('a[data-number]').first().getAttribute('data-number')) ?? ''
  const mine = ((await (await world.desk('chen')).call('GET', '/desk/v1/queues/mine/tickets?limit=50')) as { items: { number: string; status: number }[] }).items.find((x) => x.status === 1)?.number ?? ''
  let turn = 0
  await measured('desk', slow(cdp, async () => {
    turn++
    const all: Limit[] = []
    all.push({ what: 'LCP queue ms', got: middle(await paints(page, '/desk/q/open', 'a[data-number]')), most: 1000 })
    all.push({ what: 'LCP ticket ms', got: middle(await paints(page, `/desk/t/${name}`, 'main .msg')), most: 1000 })
    await toList(page, 'open')
    for (const key of ['j', 'j', 'j', 'k', 'x', 'x']) {
      await page.keyboard.press(key)
      await page.waitForTimeout(80)
    }
    all.push(await inp(page, 'keys in the list'))
    await anew(page)
    await page.keyboard.press('Enter')
    await expect(page.locator('main .msg').first()).toBeVisible()
    all.push(await inp(page, 'opening a ticket'))
    await page.goto(`/desk/t/${mine}`)
    await expect(page.locator('main .msg').first()).toBeVisible()
    await page.locator('main h1').click()
    await page.keyboard.press('/')
    await expect(page.locator('dialog[open] [role=option]').first()).toBeVisible()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await expect(page.locator('dialog[open] ol li').first()).toBeVisible()
    all.push(await inp(page, 'the macro menu and a preview'))
    await anew(page)
    await page.keyboard.press('Escape')
    await expect(page.locator('dialog[open]')).toHaveCount(0)
    await page.locator('#tab-note').click()
    await page.locator('.comp textarea').pressSequentially('写一句内部备注，看看输入是否流畅', { delay: 30 })
    all.push(await inp(page, 'typing a note'))
    await anew(page)
    await page.locator('#tab-reply').click()
    const said = `第 ${turn} 次答复：路由已恢复，请再试一次。`
    await page.locator('.comp textarea').pressSequentially(said, { delay: 30 })
    await page.keyboard.press('Control+Enter')
    await expect(page.locator('.msg.engineer', { hasText: said })).toBeVisible()
    all.push(await inp(page, 'sending a reply'))
    await anew(page)
    await page.locator('main h1').click()
    await page.keyboard.press('Control+k')
    await expect(page.locator('dialog[open] [role=option]').first()).toBeVisible()
    await page.keyboard.type('数据库')
    await page.waitForTimeout(800)
    await page.keyboard.press('Escape')
    all.push(await inp(page, 'the palette'))
    return all
  }))
  await cdp.detach()
})

test('what a signed request makes is on the desk within a second, without a reload', async ({ page, world }) => {
  test.setTimeout(20 * 60_000)
  const stands = streams(page)
  await signInHouse(page, world, 'chen', '/desk/q/unassigned')
  await expect(page.locator('a[data-number]').first()).toBeVisible()
  await stands
  const kind = await problemType(await customer(world, 'lihua'))
  const counts = page.locator('nav a', { hasText: '未分派' }).locator('.num')
  let n = 0
  await measured('from the signed request to the screen', async () => {
    const took: number[] = []
    for (let i = 0; i < 5; i++) {
      const before = Number(/\d+/.exec((await page.locator('.fresh').textContent({ timeout: 200 }).catch(() => '')) ?? '')?.[0] ?? 0)
      const had = Number(await counts.textContent())
      const began = Date.now()
      const r = await signed(world.base, 'POST', '/v2/servicerequest/cases', keyOf(world, 'lihua'), { business_type_id: kind, simple_description: `来自接口的第 ${++n} 张`, source_id: source })
      expect(r.status, await r.text()).toBeLessThan(300)
      await expect(page.locator('.fresh')).toContainText(`${before + 1} 张新工单`, { timeout: 5000 })
      took.push(Date.now() - began)
      await expect(counts).toHaveText(String(had + 1), { timeout: 5000 })
      await page.waitForTimeout(1200) // bursts are read once a second
    }
    return [{ what: `worst of ${JSON.stringify(took)} ms`, got: Math.max(...took), most: 1000 }]
  })
  await page.locator('.fresh').click()
  await expect(page.locator('a[data-number]', { hasText: `来自接口的第 ${n} 张` })).toBeVisible()
})
