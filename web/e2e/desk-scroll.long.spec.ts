// How the desk bears a queue of 10,000: real tickets, made by the API in a world
// of this file's own, read page by page, with the live events on.
import type { Page } from '@playwright/test'
import { customer, problemType, source } from './api'
import { calm, measured } from './calm'
import { expect, signInHouse, start, streams, test as base, type World } from './world'

const count = 10_000
// The machine's own page is not what is looked at: the world has its own program.
const test = base.extend<object, { world: World }>({
  world: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const { world, stop } = await start() // a demo world has no quota of open tickets
      await fill(world)
      await use(world)
      await stop()
    },
    { scope: 'worker', timeout: 300_000 },
  ],
})

/** Makes the tickets by CreateCases, 32 at a time. */
async function fill(world: World): Promise<void> {
  const api = await customer(world, 'lihua')
  const kind = await problemType(api)
  const began = Date.now()
  let next = 0
  const work = async () => {
    for (let i = next++; i < count; i = next++) await api.call('POST', '/v2/servicerequest/cases', { business_type_id: kind, simple_description: `第 ${i + 1} 张工单：三台云服务器从今天早上起无法登录，描述写得比一行还要长一些`, source_id: source })
  }
  await Promise.all(Array.from({ length: 32 }, work))
  console.log(`${count} tickets made in ${Math.round((Date.now() - began) / 1000)} s`)
}

const rows = (page: Page) => page.locator('.box li')
/** Place of the row with the focus, from 1. */
const place = (page: Page) => page.evaluate(() => Number(document.activeElement?.closest('li')?.getAttribute('aria-posinset') ?? 0))
const setSize = (page: Page) => page.evaluate(() => Number(document.querySelector('.box li')?.getAttribute('aria-setsize')))
/** By End to the last row there is. */
async function toEnd(page: Page): Promise<number> {
  await page.keyboard.press('End')
  await expect.poll(() => place(page), { timeout: 120_000 }).toBeGreaterThan(0)
  await expect.poll(async () => (await place(page)) === (await setSize(page)), { timeout: 120_000 }).toBe(true)
  return place(page)
}

/** Scrolls so many frames up or down and tells how long each took. */
const scroll = (page: Page, frames: number, by: number) =>
  page.evaluate(
    async ([frames, by]) => {
      const box = document.querySelector('.box') as HTMLElement
      const frame = () => new Promise<number>((r) => requestAnimationFrame(r))
      const gaps: number[] = []
      let most = 0
      let blank = 0
      let last = await frame()
      for (let i = 0; i < (frames ?? 0); i++) {
        box.scrollTop += by ?? 0
        const now = await frame()
        gaps.push(now - last)
        last = now
        most = Math.max(most, box.querySelectorAll('li').length)
        const seen = box.getBoundingClientRect()
        if (document.elementFromPoint(seen.left + 60, seen.top + seen.height / 2)?.closest('li') === null) blank++
      }
      gaps.sort((a, b) => a - b)
      return { rows: most, middle: Math.round(gaps[gaps.length >> 1] ?? 0), worst: Math.round(gaps.at(-1) ?? 0), over: gaps.filter((g) => g > 50).length, blank }
    },
    [frames, by] as const,
  )

test('a queue of 10,000 scrolls smoothly, is gone through by keys, sorted and filtered, and hears of what is new', async ({ page, world }) => {
  test.setTimeout(20 * 60_000)
  const stands = streams(page)
  await signInHouse(page, world, 'chen', '/desk/q/open')
  await expect(page.locator('a[data-number]').first()).toBeVisible()
  await stands
  await expect(page.locator('.list h2 .num')).toHaveText('10000+') // counted up to there

  // To the end by one key, through all pages; then the number is known.
  await calm()
  const began = Date.now()
  const all = await toEnd(page)
  console.log(`${all} rows read to the end in ${Date.now() - began} ms`)
  expect(all).toBeGreaterThan(count)
  await expect(page.locator('.list h2 .num')).toHaveText(String(all))
  expect(await rows(page).count()).toBeLessThan(80)
  await page.keyboard.press('k')
  await expect.poll(() => place(page)).toBe(all - 1)

  // All of them, each once: as many as the API tells page by page.
  const chen = await world.desk('chen')
  const numbers = new Set<string>()
  let cursor: string | undefined
  do {
    const got = (await chen.call('GET', `/desk/v1/queues/open/tickets?limit=100${cursor === undefined ? '' : `&cursor=${cursor}`}`)) as { items: { number: string }[]; next_cursor?: string }
    got.items.forEach((i) => numbers.add(i.number))
    cursor = got.next_cursor
  } while (cursor !== undefined)
  expect(numbers.size).toBe(all)

  // Smooth, up and down, on all of the way.
  await measured('scrolling 10,000 rows', async () => {
    await page.keyboard.press('End')
    await expect.poll(() => place(page)).toBe(all)
    const up = await scroll(page, 300, -400)
    const down = await scroll(page, 150, 700)
    const far = await scroll(page, 60, -9000) // as by the bar
    return [
      { what: 'frames over 50 ms', got: up.over + down.over + far.over, most: 0 },
      { what: 'worst frame, ms', got: Math.max(up.worst, down.worst, far.worst), most: 50 },
      { what: 'rows in the page', got: Math.max(up.rows, down.rows, far.rows), most: 80 },
      { what: 'frames without rows', got: up.blank + down.blank, most: 0 },
    ]
  })

  // What is new waits while one is far down; what is looked at does not move.
  await page.keyboard.press('End')
  await expect.poll(() => place(page)).toBe(all)
  const looked = await page.locator('a.cursor').getAttribute('data-number')
  const api = await customer(world, 'lihua')
  const made = (await api.call('POST', '/v2/servicerequest/cases', { business_type_id: await problemType(api), simple_description: '刚刚提交的一张', source_id: source })) as { incident_id: string }
  await expect(page.locator('nav a', { hasText: '未分派' }).locator('.num')).toBeVisible()
  await expect(page.locator(`a.cursor[data-number="${looked}"]`)).toBeFocused()
  expect(await place(page)).toBe(all)

  // Back to the start by one key, and the keys go on from there.
  await page.keyboard.press('Home')
  await expect.poll(() => place(page)).toBe(1)
  await page.keyboard.press('j')
  await expect.poll(() => place(page)).toBe(2)
  // Sorted otherwise while far down: from the top, the newest first.
  await toEnd(page)
  await page.locator('#sort').selectOption('newest')
  await expect(page).toHaveURL(/sort=newest/)
  await expect(page.locator('.box li').first().locator('a')).toHaveAttribute('data-number', made.incident_id)
  expect(await page.evaluate(() => document.querySelector('.box')?.scrollTop)).toBe(0)
  // Live: the next one is told, and shown when asked for.
  const next = (await api.call('POST', '/v2/servicerequest/cases', { business_type_id: await problemType(api), simple_description: '又来一张', source_id: source })) as { incident_id: string }
  await expect(page.locator('.fresh')).toContainText('1 张新工单')
  await page.locator('.fresh').click()
  await expect(page.locator(`a[data-number="${next.incident_id}"]`)).toBeVisible()

  // Filtered, by a view of the state: all of it again to the end.
  const view = (await chen.call('POST', '/desk/v1/views', { name_zh: '未受理', name_en: 'Not accepted', filter: { statuses: [0] }, sort: 'oldest' })) as { id: string }
  await page.goto(`/desk/v/${view.id}`)
  await expect(page.locator('a[data-number]').first()).toBeVisible()
  await page.locator('.box li a').first().focus()
  const filtered = await toEnd(page)
  expect(filtered).toBeGreaterThanOrEqual(count)
  expect(await rows(page).count()).toBeLessThan(80)
})
