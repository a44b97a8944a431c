// Answers that do not come, or come wrong: no lost text, always a way on.
import { expect, signIn, test } from './world'

test('lists say what is wrong and try again; what was loaded stays readable', async ({ page, world, faults, context }) => {
  faults.allow.push(/console: Failed to load resource/, /net::ERR_INTERNET_DISCONNECTED/)
  await signIn(page, world, 'lihua')
  const cases = '**/v2/servicerequest/cases?**'
  for (const [status, body, words] of [
    [501, { error_code: 'OSM.0004', error_msg: 'x' }, '此服务器尚不支持这项功能。'],
    [403, { error_code: 'OSM.01010002', error_msg: '无权限' }, '现在不能进行这项操作。'],
    [200, { error_code: 'OSM.01010001', error_msg: '参数 limit 有误' }, '参数 limit 有误'], // an error inside a 200
  ] as const) {
    await context.route(cases, (r) => r.fulfill({ status, json: body, headers: { 'X-Request-Id': 'abc123' } }))
    await page.goto('/console/tickets')
    await expect(page.getByRole('alert')).toContainText(words)
    await expect(page.getByRole('alert')).toContainText('abc123')
    await context.unroute(cases)
    await page.getByRole('button', { name: '重试' }).click()
    await expect(page.locator('.tickets a.row').first()).toBeVisible()
  }
  await context.setOffline(true)
  await expect(page.getByText('网络已断开。')).toBeVisible()
  await expect(page.locator('.tickets a.row').first()).toBeVisible()
  await context.setOffline(false)
  await expect(page.getByText('网络已断开。')).toBeHidden()
})

test('a submit that is refused keeps everything; a draft outlives the page', async ({ page, world, faults, context }) => {
  faults.allow.push(/console: Failed to load resource/)
  await signIn(page, world, 'wangwei', 0, '')
  const agreement = Promise.all(['published-agreement', 'signed-latest'].map((what) => page.waitForResponse((r) => r.url().includes(`/agreements/${what}`)))) // whether there is one to agree to
  await page.goto('/console/new')
  await agreement
  await page.getByLabel('搜索产品').fill('iam')
  await page.getByRole('button', { name: /^统一身份认证/ }).click()
  await page.locator('#q-what .tile').last().click()
  await page.locator('#text').fill('第一行\n第二行')
  await page.locator('#text').blur()
  await page.getByLabel('邮箱', { exact: false }).first().fill('wangwei@example.com')
  await expect(page.getByText('无需核验')).toBeVisible()
  const agree = page.getByLabel('我已阅读并同意')
  if (await agree.isVisible()) await agree.check()
  if (await page.locator('#region').evaluate((e) => (e as HTMLSelectElement).value === '')) await page.locator('#region').selectOption({ index: 1 })
  await context.route('**/v2/servicerequest/cases', (r) => (r.request().method() === 'POST' ? r.fulfill({ status: 429, json: { error_code: 'OSM.01010002', error_msg: '稍后' }, headers: { 'Retry-After': '5' } }) : r.continue()))
  await page.locator('aside').getByRole('button', { name: '提交工单', exact: true }).click()
  await expect(page.getByRole('alert')).toBeVisible()
  await expect(page.locator('#text')).toHaveValue('第一行\n第二行')
  await context.unroute('**/v2/servicerequest/cases')
  await page.reload()
  await expect(page.locator('#text')).toHaveValue('第一行\n第二行')
  await expect(page.getByText(/草稿已保存在本机/)).toBeVisible()
})

test('what is refused says so, where it is shown later, too', async ({ page, world, faults }) => {
  faults.allow.push(/Failed to load resource/)
  await signIn(page, world, 'yunfan', 0, '')
  await page.route(/\/v2\/servicerequest\/cases(\/count)?(\?|$)/, (r) => r.fulfill({ status: 403, json: { error_code: 'OSM.01010002', error_msg: '没有操作权限' } }))
  await page.goto('/console')
  await expect(page.locator('main .failed')).toHaveCount(3)
  await expect(page.locator('main [aria-busy=true]')).toHaveCount(0)
})
