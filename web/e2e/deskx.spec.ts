// What an engineer does beyond answering: asks for access, takes back, looks at
// what was, keeps a view; and what pages hear without asking.
import { type Page } from '@playwright/test'
import { toList, toTicket } from './desk-screens'
import { expect, signInHouse, streams, test } from './world'

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
  await signInHouse(page, world, 'chen', '')
  await toTicket(page)
  const which = number(page)
  await page.locator('main h1').click()
  await page.keyboard.press('q')
  await expect(dialog(page).getByRole('radio', { name: /控制台委托/ })).toBeChecked()
  await dialog(page).getByRole('radio', { name: /SSH 私钥/ }).check()
  // The preview is in the language the ticket is written in, and in the other one when asked; so is what it begins with.
  const seen = dialog(page).locator('.preview .card')
  const tongue = (name: string) => dialog(page).locator('.preview').getByRole('button', { name }).click()
  const english = !/\p{Script=Han}/u.test(await page.locator('main h1').textContent() ?? '')
  await expect(seen).toContainText(english ? 'You enter account and private key' : '您填写账号和私钥')
  await tongue('English')
  await expect(seen).toContainText('You enter account and private key')
  await expect(seen.locator('.st')).not.toHaveText('待授权')
  await tongue('简体中文')
  await expect(seen).toContainText('您填写账号和私钥')
  await expect(seen).not.toContainText('密码')
  await dialog(page).getByRole('button', { name: '查看日志' }).click()
  await dialog(page).getByRole('button', { name: '提交申请' }).click()
  await expect(dialog(page)).toContainText('请至少填写一台主机的地址')
  await dialog(page).getByLabel('第 1 台主机的地址').fill('192.0.2.10')
  await expect(dialog(page).locator('.preview')).toContainText('192.0.2.10')
  await expect(dialog(page).locator('.preview')).toContainText('只读取日志')
  await dialog(page).getByRole('button', { name: '提交申请' }).click()
  await expect(bar(page, '已发送给客户')).toBeVisible() // a demo needs no supervisor
  await expect(page.locator('.around .item', { hasText: 'SSH 登录' })).toContainText('待授权')
  await page.goto('/desk/approvals?status=asked')
  await page.locator('main li', { hasText: which }).getByRole('button', { name: /SSH/ }).click()
  await dialog(page).getByRole('button', { name: '撤回申请' }).click()
  await expect(bar(page, '已撤回')).toBeVisible()
})

test('a supervisor approves, and refuses with a reason', async ({ page, world }) => {
  const one = (id: string) => ({ id, version: 1, status: 6, status_name: '审批中', number: 'TS2601010000000000000', domain_id: 'd', engineer_id: 'e', engineer_name: 'chen', description: `为 ${id} 查看日志`, visit_type_name: 'SSH 登录', content_type_name: '账号和密码', created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z', details: [{ id: 1, type: 'host', address: '192.0.2.1' }] })
  let waiting = ['Auth-a', 'Auth-b']
  const sent: unknown[] = []
  await page.route('**/desk/v1/authorizations?*', (r) => r.fulfill({ json: { items: waiting.map(one) } }))
  await page.route('**/desk/v1/authorizations/*/steps', (r) => {
    const id = /authorizations\/([^/]+)/.exec(r.request().url())?.[1] ?? ''
    waiting = waiting.filter((x) => x !== id)
    sent.push({ id, ...(r.request().postDataJSON() as object) })
    return r.fulfill({ json: one(id) })
  })
  await signInHouse(page, world, 'zhao')
  const badge = page.locator('nav a', { hasText: '授权审批' }).locator('.num')
  await expect(badge).toHaveText('2')
  await page.keyboard.press('g')
  await page.keyboard.press('v')
  await page.locator('main li', { hasText: 'Auth-a' }).getByRole('button', { name: '批准' }).click()
  await expect(badge).toHaveText('1')
  await page.locator('main li', { hasText: 'Auth-b' }).getByRole('button', { name: '驳回' }).click()
  await page.getByRole('button', { name: '驳回' }).click()
  await expect(page.locator('main li')).toContainText('请填写原因')
  await page.locator('main textarea').fill('范围太大')
  await page.getByRole('button', { name: '驳回' }).click()
  await expect(page.locator('main .empty')).toContainText('没有待审批的申请')
  expect(sent).toEqual([{ id: 'Auth-a', action: 'approve' }, { id: 'Auth-b', action: 'refuse', reason: '范围太大' }])
})

test('Z takes back the last step; the history shows the ticket as it was', async ({ page, world }) => {
  const all = (await (await world.desk('chen')).call('GET', '/desk/v1/queues/mine/tickets?limit=50')) as { items: Row[] }
  const ticket = all.items.find((x) => x.status === 1)
  await signInHouse(page, world, 'chen', `/desk/t/${ticket?.number}`)
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
  await signInHouse(page, world, 'chen', '')
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
  const stands = streams(page)
  await signInHouse(page, world, 'chen', `/desk/t/${here?.number}`)
  await expect(page.locator('main .msg').first()).toBeVisible()
  await stands
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
