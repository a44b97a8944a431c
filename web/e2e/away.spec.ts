// The line that the server is away: it stands still while its connections stay
// open, or it ends and comes again. What happened meanwhile is then there.
import { expect, signInHouse, signIn, start, test as base, type World } from './world'

type Own = Awaited<ReturnType<typeof start>>
// Signs of life each second: what a page makes of their absence is seen soon.
const test = base.extend<object, { own: Own; world: World }>({
  own: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const own = await start('heartbeat: 1s\n')
      await use(own)
      await own.stop()
    },
    { scope: 'worker' },
  ],
  world: [async ({ own }, use) => use(own.world), { scope: 'worker' }],
})

test('a server that stands still is said to be away, and what it knows is there when it goes on', async ({ page, own, world, faults }) => {
  faults.allow.push(/ERR_|Failed to load resource/)
  await signInHouse(page, world, 'chen', '')
  await page.goto(`${world.base}/desk/q/unassigned`)
  await expect(page.locator('a[data-number]').first()).toBeVisible()
  const line = page.getByRole('status').filter({ hasText: '暂时连不上服务器' })
  await page.waitForTimeout(1500) // the stream stands, and the first sign of life was heard
  let asked = ''
  page.on('request', (r) => {
    if (r.url().includes('/web/v1/events')) asked = r.url()
  })
  own.signal('SIGSTOP')
  // Two signs of life that are missing, and a bit.
  await page.waitForTimeout(2500)
  await expect(line).toHaveCount(0)
  await expect(line).toBeVisible({ timeout: 9000 })
  expect(asked).toMatch(/last_event_id=\d+/) // it is asked to go on behind what was heard
  own.signal('SIGCONT')
  await expect(line).toHaveCount(0, { timeout: 5000 })
  // The stream that was opened meanwhile stands: news come by it.
  const number = (await page.locator('a[data-number]').first().getAttribute('data-number')) ?? ''
  await page.locator(`a[data-number="${number}"]`).click()
  await expect(page.locator('main .msg').first()).toBeVisible()
  const emma = await world.desk('emma')
  await emma.call('POST', `/desk/v1/tickets/${number}/steps`, { action: 'note', text: 'after it stood still' })
  await expect(page.locator('main .msg', { hasText: 'after it stood still' })).toBeVisible({ timeout: 4000 })
})

test('a server that was killed is said to be away on desk and console, until it is there again; nothing typed is lost', async ({ page, own, world, faults, browser }) => {
  faults.allow.push(/ERR_|Failed to load resource/)
  await signInHouse(page, world, 'chen', '')
  await page.goto(`${world.base}/desk/q/open`)
  await page.locator('a[data-number]').first().click()
  await expect(page.locator('main .msg').first()).toBeVisible()
  await page.keyboard.press('n')
  await page.locator('.comp textarea').fill('written while it was away')
  const other = await (await browser.newContext({ locale: 'zh-CN', baseURL: world.base })).newPage()
  await signIn(other, world, 'lihua')
  await expect(other.locator('main h1').first()).toBeVisible()
  await other.waitForTimeout(1500)
  own.signal('SIGKILL')
  const lines = [page, other].map((p) => p.getByRole('status').filter({ hasText: '暂时连不上服务器' }))
  for (const line of lines) await expect(line).toBeVisible({ timeout: 10_000 })
  await own.again()
  for (const line of lines) await expect(line).toHaveCount(0, { timeout: 10_000 })
  await expect(page.locator('.comp textarea')).toHaveValue('written while it was away')
  await page.locator('.comp textarea').press('Control+Enter')
  await expect(page.locator('main .msg', { hasText: 'written while it was away' })).toBeVisible()
  await other.context().close()
})
