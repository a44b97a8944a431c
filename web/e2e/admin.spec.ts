// The administrator's day, first half: an agreement is published, a service level
// is planned and put in force, and the effect is seen.
import { toAdmin } from './admin-service'
import { expect, signInHouse, test } from './world'

test('an agreement: written from the one in force, compared, published', async ({ page, world }) => {
  await signInHouse(page, world, world.admin.name)
  await page.keyboard.press('g')
  await page.keyboard.press('a')
  await page.waitForURL(/\/desk\/admin$/)
  await page.locator('main').getByRole('link', { name: '协议' }).click()
  await page.getByRole('link', { name: '发布新版本' }).click()
  const text = page.getByRole('group', { name: '正文' }).locator('textarea')
  await expect(text.first()).toHaveValue(/欢迎使用工单服务/)
  await expect(page.locator('form button[type=submit]')).toHaveAttribute('aria-disabled', 'true') // nothing differs yet
  await text.first().fill(`${await text.first().inputValue()}\n10. 新增的一条。`)
  await expect(page.locator('.diff .added', { hasText: '新增的一条' })).toBeVisible()
  // Without one language it is refused at the field.
  const english = await text.last().inputValue()
  await text.last().fill('')
  await expect(page.getByText('缺少英文')).toBeVisible()
  await text.last().fill(`${english}\n10. A new one.`)
  await page.getByRole('button', { name: '发布', exact: true }).click()
  await expect(page.locator('dialog[open]')).toContainText('第 2 版')
  await page.locator('dialog[open]').getByRole('button', { name: '发布' }).click()
  await page.waitForURL(/\/desk\/admin\/agreements\/\d+$/)
  await expect(page.locator('main')).toContainText('第 2 版')
  await expect(page.locator('.diff .added', { hasText: '新增的一条' })).toBeVisible()
  await toAdmin(page, '/agreements?state=latest', 'main table')
  await expect(page.locator('main tbody tr')).toHaveCount(3)
})

test('a service level: noted, its effect on open tickets seen, put in force, taken back', async ({ page, world }) => {
  await signInHouse(page, world, world.admin.name, '')
  await toAdmin(page, '/sla/plan/Enterprise', 'main form')
  const first = page.getByRole('row', { name: '核心业务系统不可用' }).locator('input.time').first()
  await expect(first).toHaveValue('15m')
  await first.fill('soon')
  await page.getByRole('button', { name: '记下修改' }).click()
  await expect(page.locator('main .err')).toContainText('30m')
  await first.fill('10m')
  await page.getByRole('button', { name: '记下修改' }).click()
  await expect(page.locator('main .bar')).toContainText('未生效')
  // It waits on this device, and is still there after a reload.
  await page.reload()
  await page.locator('main .bar a').click()
  const plan = page.locator('main')
  await expect(plan).toContainText('1 项变化')
  await expect(plan.locator('.before')).toContainText('15m')
  await expect(plan.locator('.after')).toContainText('10m')
  await expect(page.getByRole('heading', { name: '受影响的未完成工单' })).toBeVisible()
  const tickets = plan.locator('.tickets a')
  if ((await tickets.count()) > 0) {
    await page.getByRole('radio', { name: /按新的时限重新计算/ }).check()
    await expect(plan.getByText('承诺时间改变')).toBeVisible()
  }
  await page.getByRole('button', { name: '生效', exact: true }).click()
  await page.waitForURL(/\/desk\/admin\/sla$/)
  await expect(page.getByRole('row', { name: /企业级/ }).last()).toContainText('10m')
  // What the API promises is what was put in force.
  const desk = await world.desk(world.admin.name)
  const { files } = (await desk.call('GET', '/desk/v1/config')) as { files: Record<string, string> }
  expect(files['catalog/severities.yaml']).toContain('10m')
  expect(files['catalog/severities.yaml']).toContain('# The id is the name a domain carries.') // comments stayed
  // The version says so, and is the way back.
  await toAdmin(page, '/versions', 'main table')
  await page.locator('main tbody a').last().click()
  await page.getByRole('link', { name: '恢复到此版本…' }).click()
  await expect(plan.locator('.after')).toContainText('15m')
  await page.getByRole('button', { name: '生效', exact: true }).click()
  await page.waitForURL(/\/desk\/admin\/versions$/)
  await toAdmin(page, '/sla', 'main table')
  await expect(page.getByRole('row', { name: /企业级/ }).last()).toContainText('15m')
})

test('who may only look sees no way to change, who may not is told', async ({ page, world }) => {
  await signInHouse(page, world, 'chen') // an engineer
  await toAdmin(page, '')
  await expect(page.locator('nav[aria-label="管理目录"] a', { hasText: '服务目录' })).toHaveCount(0)
  await toAdmin(page, '/catalog', 'main .empty')
  await expect(page.locator('main')).toContainText('管理员')
  await toAdmin(page, '/macros', 'main table')
  await page.locator('main table a').first().click()
  await expect(page.locator('main form button[type=submit]')).toHaveCount(0) // shared ones are the supervisors'
})
