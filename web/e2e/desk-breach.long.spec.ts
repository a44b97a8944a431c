// A promise that burns down before the engineer's eyes: on real clocks, with
// targets of a minute, the least there is.
import { customer, problemType, source } from './api'
import { toList } from './desk-screens'
import { expect, signInHouse, start, streams, test as base, type World } from './world'

const test = base.extend<object, { world: World }>({
  world: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const { world, stop } = await start()
      await use(world)
      await stop()
    },
    { scope: 'worker', timeout: 60_000 },
  ],
})

interface Clock {
  kind: string
  state: string
  summary: string
  target_ms: number
  used_ms: number
  left_ms: number
  due_ms: number
  intervals: { from_ms: number; to_ms: number; counted: boolean; reason_name: string }[]
}

/** Every plan, and the house without one, promises the first answer within a minute, by day and night. */
async function hasten(world: World): Promise<void> {
  const admin = await world.desk(world.admin.name)
  const { files } = (await admin.call('GET', '/desk/v1/config')) as { files: Record<string, string> }
  const catalog = Object.fromEntries(Object.entries(files).filter(([path]) => /^(catalog|agreements)\//.test(path)))
  for (const file of ['catalog/severities.yaml', 'catalog/sla.yaml']) {
    const quick = (catalog[file] ?? '').replaceAll(/first_response: \w+/g, 'first_response: 1m').replaceAll('clock: business hours', 'clock: 24x7')
    expect(quick).not.toBe(files[file])
    catalog[file] = quick
  }
  await admin.call('POST', '/desk/v1/config/apply', { files: catalog })
}

test('a promise nears its end and passes it: the fuse turns, the engineer hears it, the sum is one click away', async ({ page, world, browser }) => {
  test.setTimeout(150_000)
  await hasten(world)
  const chen = await world.desk('chen')
  const api = await customer(world, 'lihua')
  const kind = await problemType(api)

  const stands = streams(page)
  await signInHouse(page, world, 'chen', '')
  await toList(page)
  await stands
  // A supervisor sits beside, on a browser of his own.
  const lead = await (await browser.newContext({ baseURL: world.base, viewport: { width: 1440, height: 900 }, locale: 'zh-CN' })).newPage()
  const there = streams(lead)
  await signInHouse(lead, world, 'zhao', '/desk/q/open')
  await there

  const same = await page.evaluateHandle(() => document) // gone with a reload
  const { incident_id: number } = (await api.call('POST', '/v2/servicerequest/cases', { business_type_id: kind, simple_description: '核心数据库无法连接', source_id: source })) as { incident_id: string }
  await chen.call('POST', `/desk/v1/tickets/${number}/steps`, { action: 'accept' })
  const first = async () => ((await chen.call('GET', `/desk/v1/tickets/${number}/clocks`)) as { clocks: Clock[] }).clocks.find((c) => c.kind === 'first_answer')
  expect((await first())?.target_ms).toBe(60_000)

  // It comes to the list by itself; the fuse is green.
  await expect(page.locator('.fresh')).toBeVisible()
  await page.locator('.fresh').click()
  const row = page.locator(`a[data-number="${number}"]`)
  await expect(row).toBeVisible()
  await expect(row.locator('.fuse')).toHaveClass(/^fuse\s*$|^fuse (?!warn|over)/)
  await row.click()
  await expect(page.locator('main .msg').first()).toBeVisible()

  // At three quarters of the target its handler is warned, live; amber.
  const bar = (text: string) => page.locator('.toast', { hasText: text })
  await expect(bar(`${number} 的承诺时间即将用完`).first()).toBeVisible({ timeout: 60_000 })
  const warned = await first()
  expect(warned?.used_ms).toBeGreaterThanOrEqual(45_000)
  expect(warned?.used_ms).toBeLessThan(60_000)
  await expect(row.locator('.fuse')).toHaveClass(/warn/, { timeout: 16_000 }) // rows look at the clock each quarter of a minute

  // Past it its handler is told at once, a supervisor by mail alone (api/web.yaml, StreamEvents: a notice is for the person it names); red, and the words say so.
  await expect(bar(`${number} 已超时`)).toBeVisible({ timeout: 30_000 })
  await expect(lead.locator('.toast', { hasText: `${number} 已超时` }).waitFor({ timeout: 5_000 })).rejects.toThrow(/Timeout/)
  await expect(row.locator('.fuse')).toHaveClass(/over/, { timeout: 16_000 })
  await expect(row.locator('.left')).toContainText('超')
  const around = page.locator('.around details', { has: page.locator('summary', { hasText: '首次' }) }).first()
  await expect(around.locator('summary .fuse')).toHaveClass(/over/)
  await expect(around.locator('summary .v')).toContainText('超')
  expect((await first())?.left_ms).toBeLessThan(0)

  // Answered too late: the clock stands, and the sum is the API's, row by row.
  await page.locator('main h1').click()
  await page.keyboard.press('r')
  await page.locator('.comp textarea').fill('抱歉让您久等，正在处理。')
  await page.keyboard.press('Control+Enter')
  await expect(page.locator('.msg.engineer', { hasText: '抱歉让您久等' })).toBeVisible()
  await expect.poll(async () => (await first())?.state, { timeout: 15_000 }).toBe('breached')
  await expect.poll(async () => Object.hasOwn((await first()) ?? {}, 'ended_ms'), { timeout: 90_000 }).toBe(true) // a reply may still be taken back for a few seconds
  const clock = await first()
  if (clock === undefined) throw new Error('no clock')
  await expect(around.locator('summary .v')).toContainText('1 分钟')
  await around.locator('summary').click()
  await expect(around.locator(':scope > p').first()).toHaveText(clock.summary)
  const words = (ms: number) => (ms > 0 && ms < 60_000 ? '不到 1 分钟' : `${Math.floor(ms / 60_000)} 分钟`)
  await expect(around.locator('tbody tr')).toHaveCount(clock.intervals.length)
  for (const [i, one] of clock.intervals.entries()) {
    await expect(around.locator('tbody tr').nth(i)).toContainText(one.reason_name)
    await expect(around.locator('tbody tr').nth(i)).toContainText(words(one.to_ms - one.from_ms))
  }
  await expect(around.locator('tfoot td').nth(1)).toHaveText(words(clock.used_ms))
  await expect(around.locator('tfoot td').nth(2)).toContainText(words(clock.target_ms))
  expect(clock.intervals.filter((i) => i.counted).reduce((sum, i) => sum + i.to_ms - i.from_ms, 0)).toBe(clock.used_ms)
  expect(clock.used_ms - clock.target_ms).toBe(-clock.left_ms)
  // All of it without a reload, and the history tells it.
  expect(await same.evaluate((d) => d === document)).toBe(true)
  const history = (await chen.call('GET', `/desk/v1/tickets/${number}/history?limit=50`)) as { items: { kind: string }[] }
  expect(history.items.map((i) => i.kind)).toEqual(expect.arrayContaining(['sla.warned', 'sla.breached']))
  await lead.context().close()
})
