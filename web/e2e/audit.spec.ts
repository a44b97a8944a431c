// What the audits say, and who is named in full: in the administration, in a
// ticket's history, and in the filter of the console's tickets.
import { call, toAdmin } from './admin-service'
import { axeClean } from './axe'
import { expect, signIn, signInHouse, test } from './world'

test('the audit names tickets, tags and the run they belong to; the ticket’s history as well', async ({ page, world }) => {
  await signInHouse(page, world, world.admin.name, '')
  await toAdmin(page, '/audit', 'main table')
  const { items } = (await call(page, 'GET', '/desk/v1/tickets?limit=2')) as { items: { number: string }[] }
  const numbers = items.map((i) => i.number)
  const run = (await call(page, 'POST', '/desk/v1/bulk-runs', { numbers, actions: [{ do: 'tag', tags: ['月底', '回访'] }] })) as { id: string }
  const row = (kind: string) => page.locator('main tbody tr').filter({ has: page.locator('.num.small', { hasText: new RegExp(`^${kind}$`) }) })
  await expect(async () => {
    await toAdmin(page, '/audit', 'main table')
    await expect(row('bulk.done')).toHaveCount(1, { timeout: 1000 })
  }).toPass()
  await expect(row('bulk.create')).toContainText(`2 个工单：${numbers.join('、')}；操作：加标记`)
  for (const kind of ['bulk.create', 'bulk.done', 'ticket.tag']) await expect(row(kind).first()).toContainText(`批量操作 ${run.id}`)
  for (const number of numbers) await expect(row('ticket.tag').filter({ has: page.getByRole('link', { name: number }) })).toContainText('加上：月底、回访')
  await axeClean(page, 'audit with a bulk run')
  await row('ticket.tag').first().getByRole('button').click()
  await expect(page.locator('dialog[open] dl')).toContainText('加上：月底、回访')
  await page.keyboard.press('Escape')
  await page.goto(`/desk/t/${numbers[0] ?? ''}/history`)
  await expect(page.locator('.past li', { hasText: '+ 月底、回访' })).toContainText('批量操作')
})

test('who is named in full in the list is so in the filter: oneself, and all for the main account', async ({ page, world }) => {
  await signInHouse(page, world, world.admin.name, '')
  await toAdmin(page, '/audit', 'main table')
  const domain = world.domains[0]
  const password = 'a password of its own 7'
  const made = (await call(page, 'POST', `/desk/v1/domains/${domain?.domain_id ?? ''}/users`, { name: 'zhangmin', password })) as { id: string }
  const { items } = (await call(page, 'GET', `/desk/v1/domains/${domain?.domain_id ?? ''}/groups`)) as { items: { id: string }[] }
  await call(page, 'PUT', `/desk/v1/domains/${domain?.domain_id ?? ''}/groups/${items[0]?.id ?? ''}/members/${made.id}`)
  domain?.users.push({ name: 'zhangmin', password })
  const names = async () => (await page.getByLabel('提交人').locator('option').allInnerTexts()).slice(1)
  for (const who of ['zhangmin', domain?.users[0]?.name ?? '']) {
    await page.context().clearCookies()
    await signIn(page, world, who, 0, '/console/tickets')
    await expect(page.getByLabel('提交人').locator('option', { hasText: 'zhangmin' })).toHaveText('zhangmin')
    if (who !== 'zhangmin') expect((await names()).filter((n) => n.includes('*'))).toEqual([])
  }
})
