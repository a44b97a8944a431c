// What an engineer does beyond answering: asks for access, takes back, looks at
// what was, keeps a view; and what pages hear without asking.
import { type Page } from '@playwright/test'
import { toList, toTicket } from './desk-screens'
import { expect, signInHouse, test } from './world'

interface Row {
  number: string
  version: number
  status: number
  assignee_name?: string
}
const number = (page: Page) => /\/t\/([^/?]+)/.exec(page.url())?.[1] ?? ''
const bar = (page: Page, text: string | RegExp) => page.locator('.toast', { hasText: text })
const dialog = (page: Page) => page.locator('dialog[open]')

test('access is asked for with the least right first, approved, and stands on the ticket', async ({ page, world }) => {
  await signInHouse(page, world, 'chen')
  await toTicket(page)
  const which = number(page)
  await page.locator('main h1').click()
  await page.keyboard.press('q')
  await expect(dialog(page).getByRole('radio', { name: /控制台委托/ })).toBeChecked()
  await dialog(page).getByRole('radio', { name: /SSH 私钥/ }).check()
  await dialog(page).getByRole('button', { name: '查看日志' }).click()
  await dialog(page).getByRole('button', { name: '提交审批' }).click()
  await expect(dialog(page)).toContainText('请至少填写一台主机的地址')
  await dialog(page).getByLabel('第 1 台主机的地址').fill('192.0.2.10')
  await expect(dialog(page).locator('.preview')).toContainText('192.0.2.10')
  await expect(dialog(page).locator('.preview')).toContainText('只读取日志')
  await dialog(page).getByRole('button', { name: '提交审批' }).click()
  await expect(bar(page, '等待主管审批')).toBeVisible()
  await expect(page.locator('.around .item', { hasText: 'SSH 登录' })).toContainText('审批中')

  // The supervisor's word, by the queue of approvals.
  const zhao = await world.desk('zhao')
  const { items } = (await zhao.call('GET', '/desk/v1/authorizations?status=6')) as { items: { id: string; number: string }[] }
  const asked = items.find((a) => a.number === which)
  await zhao.call('POST', `/desk/v1/authorizations/${asked?.id}/steps`, { action: 'approve' })
  await expect(page.locator('.around .item', { hasText: 'SSH 登录' })).toContainText('待授权')
  await page.goto('/desk/approvals?status=asked')
  await page.locator('li', { hasText: which }).getByRole('button', { name: /SSH/ }).click()
  await dialog(page).getByRole('button', { name: '撤回申请' }).click()
  await expect(bar(page, '已撤回')).toBeVisible()
})

test('Z takes back the last step; the history shows the ticket as it was', async ({ page, world }) => {
  await signInHouse(page, world, 'chen')
  const all = (await (await world.desk('chen')).call('GET', '/desk/v1/queues/mine/tickets?limit=50')) as { items: Row[] }
  const ticket = all.items.find((x) => x.status === 1)
  await page.goto(`/desk/t/${ticket?.number}`)
  await expect(page.locator('main .msg').first()).toBeVisible()
  await page.locator('main h1').click()
  await page.keyboard.press('h')
  await dialog(page).locator('textarea').fill('等待窗口')
  await dialog(page).getByRole('button', { name: '暂停' }).click()
  await expect(page.locator('.head .st')).toContainText('暂停')
  await page.locator('main h1').click()
  await page.keyboard.press('z')
  await expect(page.locator('.head .st')).toContainText('处理中')
  await page.keyboard.press('z')
  await expect(bar(page, '没有可以撤销的操作')).toBeVisible()

  await page.locator('main h1').click()
  await page.keyboard.press('d')
  await page.waitForURL(/\/history/)
  await page.locator('.past li', { hasText: '暂停了工单' }).getByRole('link', { name: '查看当时' }).click()
  await page.waitForURL(/at=/)
  await expect(page.locator('.then dl')).toContainText('暂停')
  await expect(page.locator('.then dl')).toContainText('现在： 处理中')
})

test('a view is made of the present list, and rows tell what is chosen', async ({ page, world }) => {
  await signInHouse(page, world, 'chen')
  await toList(page, 'open')
  await page.getByRole('button', { name: '列表显示设置' }).click()
  const high = (await page.locator('.box li').first().boundingBox())?.height ?? 0
  await page.getByLabel('紧凑显示').check()
  await expect.poll(async () => (await page.locator('.box li').first().boundingBox())?.height ?? 0).toBeLessThan(high - 20)
  await page.getByLabel('紧凑显示').uncheck()
  await page.getByLabel('编号').check()
  await expect(page.locator('.box li').first()).toContainText('TS')
  await page.getByRole('button', { name: '保存为视图' }).click()
  await dialog(page).getByLabel('名称').fill('我的高优')
  await dialog(page).getByLabel('处理人', { exact: true }).first().selectOption('me')
  await dialog(page).getByRole('button', { name: '保存', exact: true }).click()
  await page.waitForURL(/\/desk\/v\//)
  const link = page.locator('nav a', { hasText: '我的高优' })
  await expect(link).toHaveAttribute('aria-current', 'page')
  await page.getByRole('button', { name: '列表显示设置' }).click()
  await page.getByRole('button', { name: '编辑视图' }).click()
  await dialog(page).getByRole('button', { name: '删除视图' }).click()
  await expect(link).toHaveCount(0)
})

test('counts, presence and what concerns oneself come without asking', async ({ page, world }) => {
  const [emma, chen] = [await world.desk('emma'), await world.desk('chen')]
  const mine = (await chen.call('GET', '/desk/v1/queues/mine/tickets?limit=50')) as { items: Row[] }
  const hers = (await emma.call('GET', '/desk/v1/queues/mine/tickets?limit=50')) as { items: Row[] }
  const [here, given] = [mine.items.find((x) => x.status === 1), hers.items.find((x) => x.status === 1)]
  await signInHouse(page, world, 'chen')
  await page.goto(`/desk/t/${here?.number}`)
  await expect(page.locator('main .msg').first()).toBeVisible()
  await page.waitForTimeout(1000) // the stream stands
  await emma.call('PUT', `/desk/v1/tickets/${here?.number}/presence`, { doing: 'replying' })
  await expect(page.locator('.here')).toContainText('emma 正在写回复', { timeout: 3000 })
  await emma.call('DELETE', `/desk/v1/tickets/${here?.number}/presence`)
  await expect(page.locator('.here')).toHaveCount(0, { timeout: 3000 })
  const count = page.locator('nav a', { hasText: '我的工单' }).locator('.num')
  const before = Number(await count.textContent())
  const me = ((await chen.call('GET', '/desk/v1/engineers')) as { items: { id: string; name: string }[] }).items.find((e) => e.name === 'chen')
  await emma.call('POST', `/desk/v1/tickets/${given?.number}/steps`, { action: 'assign', assignee: me?.id })
  await expect(bar(page, `${given?.number} 分派给了您`)).toBeVisible({ timeout: 3000 })
  await expect(count).toHaveText(String(before + 1), { timeout: 3000 })
})

test('the demo greets a newcomer, keeps how far one came, and can be sent away', async ({ page, world }) => {
  await signInHouse(page, world, 'chen')
  const guide = page.getByRole('complementary', { name: '新手引导' })
  await expect(guide).toContainText('提交一张工单')
  await toTicket(page)
  await page.locator('#tab-reply').click()
  await page.locator('.comp textarea').fill('新手的第一次回复')
  await page.keyboard.press('Control+Enter')
  await guide.getByRole('button', { name: '全部步骤' }).click()
  await expect(guide.locator('li.done')).toContainText('以工程师身份回复')
  await page.reload()
  await expect(guide).toContainText('1/4')
  await guide.getByRole('button', { name: '不再显示' }).click()
  await expect(guide).toHaveCount(0)
  await page.reload()
  await expect(page.locator('nav li').first()).toBeAttached()
  await expect(guide).toHaveCount(0)
})
