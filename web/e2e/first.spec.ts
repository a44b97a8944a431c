// The very first load of each page: files that do not come, a server that does
// not answer. What is wrong is said, and the page comes by itself later.
import { expect, signIn, streams, test } from './world'

// What a page waits for by itself is not waited for here: its clock is set on.
test.beforeEach(({ page }) => page.clock.install())

const [code, texts] = [/\/assets\/vendor-.*\.js/, /\/assets\/zh-cn-.*\.js/]

test('files that do not come are said, and the page tries again', async ({ page, faults }) => {
  faults.allow.push(/Failed to load resource/, /^exception: (TypeError: .*dynamically imported module.*)?$/s)
  for (const [to, files] of [['/console', texts], ['/desk', code]] as const) {
    await page.route(files, (r) => r.fulfill({ status: 404, body: '' }))
    await page.goto(to)
    await expect(page.locator('#broken'), to).toBeVisible()
    await expect(page.getByText('正在自动重试')).toBeVisible()
    await page.unroute(files)
    await page.clock.fastForward(6000)
    await expect(page.getByRole('heading', { level: 1 }).first(), to).toBeVisible()
    await expect(page.locator('#broken')).toBeHidden()
  }
})

test('a server that does not answer is said, and asked until it does', async ({ page, world, faults }) => {
  faults.allow.push(/Failed to load resource/)
  for (const to of ['/login', '/console'] as const) {
    if (to === '/console') await signIn(page, world, 'yunfan', 0, '')
    await page.route('**/web/v1/session', (r) => r.fulfill({ status: 503, body: '' }))
    await page.goto(to)
    await expect(page.getByRole('alert')).toContainText('服务器暂时无法处理')
    await page.unroute('**/web/v1/session')
    await page.clock.fastForward(10_000)
    await expect(page.getByRole('alert')).toHaveCount(0)
    await expect(page.getByRole('heading', { level: 1, name: to === '/login' ? '登录 Casemate' : '首页' })).toBeVisible()
  }
})

test('a start that takes long is said, too', async ({ page, faults }) => {
  faults.allow.push(/Failed to load resource/)
  await page.route('**/web/v1/session', () => undefined)
  await page.goto('/desk')
  await page.clock.fastForward(2000)
  await expect(page.locator('#slow')).toBeVisible()
})

test('a stream that is refused is asked for again', async ({ page, world, faults }) => {
  faults.allow.push(/EventSource|Failed to load resource/)
  await signIn(page, world, 'yunfan', 0, '')
  await page.route('**/web/v1/events', (r) => r.fulfill({ status: 502, body: '' }))
  const refused = page.waitForResponse((r) => r.url().endsWith('/web/v1/events') && r.status() === 502)
  await page.goto('/console')
  await refused
  await page.unroute('**/web/v1/events')
  const stands = streams(page)
  await page.clock.fastForward(10_000)
  await stands
})
