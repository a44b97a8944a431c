// An engineer's shift, mostly by keys, against the shipped program.
import { type Page } from '@playwright/test'
import { customer } from './api'
import { axeClean } from './axe'
import { toList, toTicket } from './desk-screens'
import { unreachable } from './reach'
import { expect, signInHouse, streams, test } from './world'

interface Row {
  number: string
  version: number
  status: number
  description: string
  domain_id: string
  creator_name: string
  assignee_name?: string
}

const number = (page: Page) => /\/t\/([^?]+)/.exec(page.url())?.[1] ?? ''
const bar = (page: Page, text: string | RegExp) => page.locator('.toast', { hasText: text })

test('a ticket is claimed by keys, and given back', async ({ page, world }) => {
  await signInHouse(page, world, 'chen')
  await page.keyboard.press('g')
  await page.keyboard.press('u')
  await page.waitForURL(/\/desk\/q\/unassigned/)
  await expect(page.locator('a[data-number]').first()).toBeVisible()
  await page.keyboard.press('j')
  const row = page.locator('a[data-number]:focus')
  await expect(row).toBeVisible()
  const which = (await row.getAttribute('data-number')) ?? ''
  await page.keyboard.press('a')
  await expect(bar(page, `${which} 已由您处理`)).toBeVisible()
  // It has left the queue, but no row moves under the cursor.
  await expect(page.locator(`li.gone a[data-number="${which}"]`)).toBeVisible()
  await bar(page, which).getByRole('button', { name: '撤销' }).click()
  await expect(bar(page, '已撤销')).toBeVisible()
  await expect(page.locator(`li:not(.gone) a[data-number="${which}"]`)).toBeVisible()
})

test('taking is shown at once in list and ticket, and put back with the reason when the server refuses', async ({ page, world, faults }) => {
  faults.allow.push(/409/)
  await signInHouse(page, world, 'chen', '')
  await toList(page, 'unassigned')
  await page.locator('a[data-number]').first().click()
  await expect(page.locator('main .msg').first()).toBeVisible()
  const which = number(page)
  const row = page.locator(`a[data-number="${which}"]`)
  const handler = page.locator('main .meta', { hasText: '处理人' })
  await expect(handler).toContainText('无人')
  let answer: () => void = () => undefined
  const asked = new Promise<void>((r) => (answer = r))
  await page.route(`**/tickets/${which}/steps`, async (route) => {
    await asked
    await route.fulfill({ status: 409, json: { error_code: 'OSM.01010001', error_msg: '工单已被他人修改' } })
  })
  await page.locator('main h1').click()
  await page.keyboard.press('a')
  await expect(handler).toContainText('chen')
  await expect(row).toContainText('chen')
  answer()
  await expect(bar(page, '已恢复原状')).toBeVisible()
  await expect(handler).toContainText('无人')
  await expect(row).not.toContainText('chen')
})

test('a search is saved under a name, opened again, deleted, and taken back', async ({ page, world }) => {
  await signInHouse(page, world, 'chen', '/desk/search?q=status%3A1')
  await page.getByRole('button', { name: '保存这个搜索' }).click()
  await page.getByLabel('名称').fill('我的处理中')
  await page.keyboard.press('Enter')
  await expect(bar(page, '已保存“我的处理中”')).toBeVisible()
  await page.evaluate(() => localStorage.clear()) // it is not this browser's
  await page.goto('/desk/search')
  await page.getByRole('button', { name: '我的处理中' }).click()
  await page.waitForURL(/q=status%3A1/)
  await expect(page.getByRole('button', { name: '我的处理中' })).toHaveAttribute('aria-pressed', 'true')
  await page.getByRole('button', { name: '管理' }).click()
  await page.getByRole('button', { name: '重命名“我的处理中”' }).click()
  await page.locator('dialog[open] input').fill('处理中的')
  await page.keyboard.press('Enter')
  await expect(bar(page, '已改名为“处理中的”')).toBeVisible()
  await expect(page.getByRole('button', { name: '重命名“处理中的”' })).toBeFocused()
  await page.getByRole('button', { name: '重命名“处理中的”' }).click()
  await page.locator('dialog[open] input').fill('我的处理中')
  await page.keyboard.press('Escape') // only the renaming ends
  await page.getByRole('button', { name: '重命名“处理中的”' }).click()
  await page.locator('dialog[open] input').fill('我的处理中')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: '删除“我的处理中”' }).click()
  await expect(page.getByRole('button', { name: '保存这个搜索' })).toBeVisible()
  await bar(page, '已删除').getByRole('button', { name: '撤销' }).click()
  await expect(page.getByRole('button', { name: '我的处理中' })).toBeVisible()
})

test('note, macro, reply: apart, previewed, kept', async ({ page, world }) => {
  await signInHouse(page, world, 'chen', '')
  await toList(page)
  await expect(async () => {
    await page.keyboard.press('j')
    await expect(page.locator('a.cursor')).toBeVisible({ timeout: 500 })
  }).toPass()
  await page.keyboard.press('Enter')
  await expect(page.locator('main .msg').first()).toBeVisible()

  await page.keyboard.press('r')
  await page.locator('.comp textarea').fill('先写一半的回复')
  await expect(page.locator('.saved')).toContainText('已保存')
  await page.keyboard.press('Escape')
  await page.keyboard.press('n')
  await expect(page.locator('.comp.note textarea')).toHaveValue('')
  await page.locator('.comp textarea').fill('只给同事看')
  await page.keyboard.press('Control+Enter')
  await expect(page.locator('.msg.note', { hasText: '只给同事看' })).toBeVisible()
  await expect(page.locator('.comp textarea')).toHaveValue('')

  // So is why it waits; half of it is written when the page is left at once.
  const why = page.locator('dialog[open] textarea')
  const toPause = async () => {
    await page.locator('main h1').click()
    await page.keyboard.press('h')
  }
  await toPause()
  await why.fill('等客户的日志')

  // Both are still there, here and after a reload, in the other language too.
  await page.evaluate(() => localStorage.setItem('casemate.language', 'en-us'))
  await page.reload()
  await expect(page.locator('.comp.reply textarea')).toHaveValue('先写一半的回复')
  await toPause()
  await expect(why).toHaveValue('等客户的日志')
  await expect(page.locator('dialog[open]')).toContainText('Draft kept on this device')
  await axeClean(page, 'a draft restored')
  await page.getByRole('button', { name: 'Discard the draft' }).click()
  await expect(why).toHaveValue('')
  await expect(why).toBeFocused()
  await page.keyboard.press('Escape')
  await page.evaluate(() => localStorage.setItem('casemate.language', 'zh-cn'))
  await page.reload()
  await toPause()
  await expect(why).toHaveValue('')
  await page.keyboard.press('Escape')

  // What was typed stands for the macro's text.
  await page.locator('main h1').click()
  await page.keyboard.press('/')
  await page.locator('dialog[open] input').fill('受理')
  await page.keyboard.press('Enter')
  await expect(page.locator('dialog[open] .tx', { hasText: '先写一半的回复' })).toBeVisible()
  await page.locator('dialog[open]').getByRole('button', { name: '执行' }).click()
  await expect(bar(page, '受理并索取日志')).toBeVisible()
  await expect(page.locator('.head .st')).toContainText('待反馈')
  await expect(page.locator('.comp textarea')).toHaveValue('')
  await expect(page.locator('.around .own', { hasText: '待日志' })).toBeVisible()
  // What of it the engine takes back is said and taken back; the question to the customer stays.
  await expect(bar(page, '受理并索取日志')).toContainText('其中 1 项变更可撤销')
  await bar(page, '受理并索取日志').getByRole('button', { name: '撤销' }).click()
  await expect(bar(page, '已撤销 1 项变更')).toBeVisible()
  await expect(page.locator('.around .own', { hasText: '待日志' })).toHaveCount(0)
  await expect(page.locator('.head .st')).toContainText('待反馈')

  // A snippet goes where the cursor is, and the reply is sent by keys.
  await page.locator('main h1').click()
  await page.keyboard.press(';')
  await page.locator('dialog[open] input').fill('问候')
  await page.keyboard.press('Enter')
  await expect(page.locator('.comp textarea')).toHaveValue(/您好，$|^Hello \w+,$/) // in the customer's language
  await page.locator('.comp textarea').press('End')
  await page.keyboard.type('已收到。')
  await page.keyboard.press('Control+Enter')
  await expect(page.locator('.msg.engineer', { hasText: '已收到。' })).toBeVisible()
})

test('an Enter that confirms a candidate sends nothing, the next one does', async ({ page, world }) => {
  await signInHouse(page, world, 'chen', '')
  await toTicket(page)
  await page.locator('#tab-note').click()
  const area = page.locator('.comp textarea')
  await area.fill('输入法')
  await area.evaluate((node) => {
    node.dispatchEvent(new CompositionEvent('compositionstart'))
    node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true, bubbles: true }))
    node.dispatchEvent(new CompositionEvent('compositionend'))
    node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true, bubbles: true }))
  })
  await page.waitForTimeout(150)
  await expect(area).toHaveValue('输入法')
  await area.press('Control+Enter')
  await expect(page.locator('.msg.note', { hasText: '输入法' })).toBeVisible()
})

test('what the customer says by the API is on the desk at once, and a double answer is stopped', async ({ page, world, faults }) => {
  faults.allow.push(/net::ERR_FAILED/, /status of 409/)
  const emma = await world.desk('emma')
  const all = (await (await world.desk('chen')).call('GET', '/desk/v1/queues/mine/tickets?limit=50')) as { items: Row[] }
  const ticket = all.items.find((x) => x.status === 1)
  if (ticket === undefined) throw new Error('no ticket in work')
  const stands = streams(page)
  await signInHouse(page, world, 'chen', `/desk/t/${ticket.number}`)
  await expect(page.locator('main .msg').first()).toBeVisible()
  await stands
  const api = await customer(world, ticket.creator_name)
  const began = Date.now()
  await api.call('POST', `/v2/servicerequest/cases/${ticket.number}/message`, { message: { content: '客户通过接口补充' } })
  await expect(page.locator('.msg.customer', { hasText: '客户通过接口补充' })).toBeVisible({ timeout: 6000 })
  test.info().annotations.push({ type: 'from the call to the screen', description: `${Date.now() - began} ms` })
  expect(Date.now() - began).toBeLessThan(1500)

  // The page cannot hear: a colleague answers meanwhile.
  await page.route('**/desk/v1/tickets/*/messages', (r) => r.abort())
  await page.route(`**/desk/v1/tickets/${ticket.number}`, (r) => r.abort())
  await emma.call('POST', `/desk/v1/tickets/${ticket.number}/steps`, { action: 'reply', text: '我先答了', undo_within: 0 })
  await page.locator('#tab-reply').click()
  await page.locator('.comp textarea').fill('我也来答')
  await page.keyboard.press('Control+Enter')
  await expect(page.locator('.conflict')).toContainText('emma')
  await expect(page.locator('.comp textarea')).toHaveValue('我也来答')

  // Sent all the same, it fails, and another answer comes that is not read: to send it again is not to send it all the same.
  await page.route('**/steps', (r) => r.abort())
  await page.getByRole('button', { name: '仍然发送' }).click()
  await expect(page.locator('.comp .banner', { hasText: '没有发出' })).toBeVisible()
  await page.getByRole('button', { name: '先看看' }).click()
  await page.unroute('**/steps')
  await page.unroute(`**/desk/v1/tickets/${ticket.number}`)
  let version = 0
  page.on('response', async (r) => {
    if (r.request().method() === 'GET' && r.url().endsWith(`/desk/v1/tickets/${ticket.number}`) && r.ok()) version = await r.json().then((row: Row) => row.version, () => version) // a page that is left takes its answers with it
  })
  const answered = (await emma.call('POST', `/desk/v1/tickets/${ticket.number}/steps`, { action: 'reply', text: '我又答了', undo_within: 0 })) as Row
  await expect.poll(() => version).toBeGreaterThanOrEqual(answered.version)
  const refused = page.waitForResponse((r) => r.url().endsWith('/steps'))
  await page.getByRole('button', { name: '重新发送' }).click()
  expect((await refused).status()).toBe(409)
  await expect(page.locator('.conflict')).toContainText('emma')
  await expect(page.locator('.comp textarea')).toHaveValue('我也来答')
  await expect(page.locator('.comp .banner', { hasText: '没有发出' })).toHaveCount(0)
  await page.unroute('**/desk/v1/tickets/*/messages')
  await page.getByRole('button', { name: '仍然发送' }).click()
  await expect(page.locator('.msg.engineer', { hasText: '我也来答' })).toBeVisible()
})

/** What scrolls up and down: the page, and every region with more than it shows. */
const scrollers = (page: Page) =>
  page.evaluate(() => {
    const root = document.documentElement
    const all = [...document.querySelectorAll('body *')].filter((e) => ['auto', 'scroll'].includes(getComputedStyle(e).overflowY) && e.clientHeight > 0)
    return [root, ...all].filter((e) => e.scrollHeight > e.clientHeight + 1).map((e) => (e === root ? 'page' : (e.classList[0] ?? e.tagName)))
  })
/** Whether all of the newest message is seen, above the field for the reply. */
const newest = (page: Page) =>
  page.evaluate(() => {
    const r = [...document.querySelectorAll('.talk > li')].at(-1)?.getBoundingClientRect()
    const comp = document.querySelector('.comp')?.getBoundingClientRect()
    return r !== undefined && r.top >= 0 && r.bottom <= Math.min(comp?.top ?? innerHeight, innerHeight) + 1
  })

test('on a phone one thing scrolls on a ticket, and the field for the reply leaves room to read', async ({ page, world }) => {
  const chen = await world.desk('chen')
  const all = (await chen.call('GET', '/desk/v1/queues/mine/tickets?limit=50')) as { items: Row[] }
  const ticket = all.items.find((x) => x.status === 1)
  if (ticket === undefined) throw new Error('no ticket in work')
  const api = await customer(world, ticket.creator_name)
  const say = (content: string) => api.call('POST', `/v2/servicerequest/cases/${ticket.number}/message`, { message: { content } })
  for (let i = 0; i < 12; i++) await say(`第 ${i + 1} 次补充：${'仍然无法登录，报错如前。'.repeat(6)}`)
  await page.setViewportSize({ width: 390, height: 844 })
  const stands = streams(page)
  await signInHouse(page, world, 'chen', `/desk/t/${ticket.number}`)
  await expect(page.locator('main .msg', { hasText: '第 12 次补充' })).toBeVisible()
  await stands
  await expect.poll(() => newest(page)).toBe(true)
  await expect.poll(() => scrollers(page)).toEqual(['flow'])
  expect(await unreachable(page)).toEqual([])
  await page.setViewportSize({ width: 390, height: 560 })
  await expect.poll(() => scrollers(page)).toEqual(['flow'])
  await page.setViewportSize({ width: 390, height: 844 })

  // Who reads further up is told of what is new, and led to it; the title stays.
  await page.locator('main .msg').first().scrollIntoViewIfNeeded()
  await say('又来一条')
  await page.getByRole('button', { name: '1 条新消息' }).click()
  await expect.poll(() => newest(page)).toBe(true)
  await expect(page.getByRole('button', { name: '1 条新消息' })).toHaveCount(0)
  await expect(page.locator('main h1')).toBeInViewport({ ratio: 1 })
  for (const what of ['.which .id', '.which .st']) await expect(page.locator(`main ${what}`)).toBeInViewport({ ratio: 1 })
  await expect(page.locator('main .which')).toContainText(ticket.number)
  // At the end it comes into view by itself.
  await say('还有一条')
  await expect(page.locator('main .msg', { hasText: '还有一条' })).toBeVisible()
  await expect.poll(() => newest(page)).toBe(true)

  // What is known takes its place, and gives it back as it was.
  await page.getByRole('button', { name: '详情', exact: true }).click()
  await expect.poll(() => scrollers(page)).toEqual(['ticket'])
  await page.getByRole('button', { name: '收起详情' }).click()
  await expect.poll(() => newest(page)).toBe(true)

  // However much is written, two fifths of the height at most; with how it will look beside it, too.
  await page.locator('.comp textarea').fill('正在查看，有进展就告诉您。\n'.repeat(40))
  expect((await page.locator('.comp').boundingBox())?.height ?? 844).toBeLessThanOrEqual(844 * 0.4)
  await page.locator('.comp textarea').fill('- **先**查 `sshd`')
  await page.getByRole('button', { name: '预览', exact: true }).click()
  await expect(page.locator('.seen li strong')).toHaveText('先')
  expect((await page.locator('.comp').boundingBox())?.height ?? 844).toBeLessThanOrEqual(844 * 0.4)
  // Whatever there is, the buttons stay in sight: what is written scrolls.
  for (const size of [{ width: 390, height: 560 }, { width: 1200, height: 600 }]) {
    await page.setViewportSize(size)
    await page.locator('.comp textarea').fill('正在查看，有进展就告诉您。\n'.repeat(8))
    for (const button of await page.locator('.comp .foot button').all()) await expect(button).toBeInViewport({ ratio: 1 })
    await page.locator('.seen .text').scrollIntoViewIfNeeded()
    await expect(page.locator('.seen .text')).toBeInViewport()
  }
  await page.setViewportSize({ width: 390, height: 844 })
  await page.getByRole('button', { name: '预览', exact: true }).click()
  await page.locator('.comp textarea').fill('')

  // Where it is low the page itself scrolls, with all there is.
  await page.setViewportSize({ width: 844, height: 390 })
  // What was said is there before the ticket.
  await page.route(`**/desk/v1/tickets/${ticket.number}`, async (r) => (await page.waitForTimeout(500), await r.continue()), { times: 1 })
  await page.reload()
  await expect(page.locator('main .msg', { hasText: '还有一条' })).toBeVisible()
  await expect.poll(() => newest(page)).toBe(true)
  await expect.poll(() => scrollers(page)).toEqual(['page'])
})

test('transfer needs a reason and can be undone; new rows wait', async ({ page, world }) => {
  const emma = await world.desk('emma')
  await signInHouse(page, world, 'chen', '')
  await toTicket(page)
  const which = number(page)
  await page.locator('main h1').click()
  await page.keyboard.press('t')
  await expect(page.locator('dialog[open] h2')).toHaveText(`转派工单 ${which}`)
  // Nobody is chosen yet, and who has the ticket is no choice.
  await expect(page.locator('dialog[open] [role=option]', { hasText: 'emma' })).toBeVisible()
  await expect(page.locator('dialog[open] [aria-selected=true]')).toHaveCount(0)
  await expect(page.locator('dialog[open] [role=option] .tx', { hasText: /^chen\b/ })).toHaveCount(0)
  await page.keyboard.press('Enter')
  await expect(page.locator('dialog[open] textarea')).toHaveCount(0)
  await page.locator('dialog[open] input').fill('emma')
  await page.keyboard.press('Enter')
  await page.locator('dialog[open]').getByRole('button', { name: '转派', exact: true }).click()
  await expect(page.locator('dialog[open]')).toContainText('请填写原因')
  await page.locator('dialog[open] textarea').fill('下班交接')
  await page.locator('dialog[open]').getByRole('button', { name: '转派', exact: true }).click()
  await expect(bar(page, new RegExp(`已将工单 ${which}“.+”转派给 emma`))).toBeVisible()
  await expect(page.locator('.head .meta')).toContainText('处理人 emma')
  await page.locator('main h1').click()
  await page.keyboard.press('z')
  await expect(page.locator('.head .meta')).toContainText('处理人 chen')
  await expect(bar(page, '已撤销')).toBeVisible()
  await expect(bar(page, 'emma')).toHaveCount(0) // what was undone is not offered any more

  const row = page.locator(`a[data-number="${which}"]`)
  await expect(row).toBeVisible()
  await toList(page, 'unassigned')
  const before = await page.locator('a[data-number]').count()
  const hers = (await emma.call('GET', '/desk/v1/queues/mine/tickets?limit=50')) as { items: Row[] }
  const one = hers.items.find((x) => x.status === 1)
  await emma.call('POST', `/desk/v1/tickets/${one?.number}/steps`, { action: 'release' })
  await expect(page.locator('.fresh')).toContainText('1 张新工单')
  expect(await page.locator('a[data-number]').count()).toBe(before)
  await page.locator('.fresh').click()
  await expect(page.locator(`a[data-number="${one?.number}"]`)).toBeVisible()
})

test('a ticket that is given away is shown so at once, and put back with the reason when the server refuses', async ({ page, world, faults }) => {
  faults.allow.push(/409/)
  await signInHouse(page, world, 'chen', '')
  await toTicket(page)
  const which = number(page)
  let answer: () => void = () => undefined
  const asked = new Promise<void>((r) => (answer = r))
  await page.route(`**/tickets/${which}/steps`, async (route) => {
    await asked
    await route.fulfill({ status: 409, json: { error_code: 'OSM.01010001', error_msg: '工单已被他人修改' } })
  })
  await page.locator('main h1').click()
  await page.keyboard.press('t')
  await page.locator('dialog[open] input').fill('emma')
  await page.keyboard.press('Enter')
  await page.locator('dialog[open] textarea').fill('下班交接，勿忘')
  await page.locator('dialog[open]').getByRole('button', { name: '转派', exact: true }).click()
  await expect(page.locator('dialog[open]')).toHaveCount(0)
  await expect(page.locator('.head .meta')).toContainText('处理人 emma')
  answer()
  await expect(bar(page, '已恢复原状')).toBeVisible()
  await expect(page.locator('.head .meta')).toContainText('处理人 chen')
  // The reason is there still.
  await page.keyboard.press('t')
  await page.locator('dialog[open] input').fill('emma')
  await page.keyboard.press('Enter')
  await expect(page.locator('dialog[open] textarea')).toHaveValue('下班交接，勿忘')
  await page.keyboard.press('Escape')
  await page.unroute(`**/tickets/${which}/steps`)
})

test('own quick changes of one ticket wait for each other; what was done is named', async ({ page, world }) => {
  await signInHouse(page, world, 'chen', '')
  await toList(page, 'unassigned')
  await page.locator('a[data-number]').first().click()
  await expect(page.locator('main .msg').first()).toBeVisible()
  const which = number(page)
  await page.getByRole('button', { name: '加标记', exact: true }).click()
  await page.locator('dialog[open] input').fill('甲，乙')
  await page.keyboard.press('Enter')
  await expect(bar(page, `已为 ${which} 添加标记“甲、乙”`)).toBeVisible()
  // Both are sent by one hand, the second one before the first has its answer.
  const order: string[] = []
  await page.route(/\/desk\/v1\/tickets\/[^/]+\/(actions|steps)$/, async (route) => {
    order.push(`asked ${route.request().url().split('/').at(-1)}`)
    await new Promise((r) => setTimeout(r, 300))
    const response = await route.fetch()
    order.push(String(response.status()))
    await route.fulfill({ response })
  })
  await page.getByRole('button', { name: '移除标记 甲' }).click()
  await page.locator('main h1').click()
  await page.keyboard.press('a')
  await expect(bar(page, `${which} 已由您处理`)).toBeVisible()
  expect(order).toEqual(['asked actions', '200', 'asked steps', '200'])
  await bar(page, '已由您处理').getByRole('button', { name: '撤销' }).click()
  await expect(bar(page, '已撤销')).toBeVisible()
})

test('a reply that failed stands in its field alone, with the reason, and is sent again from there', async ({ page, world, faults }) => {
  faults.allow.push(/500/, /net::ERR_FAILED/)
  await signInHouse(page, world, 'chen', '')
  await toTicket(page)
  await page.route('**/steps', (route) => route.fulfill({ status: 500, json: { error_code: 'OSM.0005', error_msg: '内部错误' } }))
  await page.locator('main h1').click()
  await page.keyboard.press('n')
  await page.locator('.comp textarea').fill('失败后仍在')
  await page.keyboard.press('Control+Enter')
  await expect(page.locator('.comp .banner', { hasText: '没有发出' })).toBeVisible()
  await expect(page.locator('.comp textarea')).toHaveValue('失败后仍在')
  await expect(page.locator('.toast.wrong')).toHaveCount(0)
  await expect(page.locator('main .msg', { hasText: '失败后仍在' })).toHaveCount(0)
  await page.unroute('**/steps')
  await page.getByRole('button', { name: '重新发送' }).click()
  await expect(page.locator('main .msg', { hasText: '失败后仍在' })).toBeVisible()
  await expect(page.locator('.comp .banner')).toHaveCount(0)
  await expect(page.locator('.comp textarea')).toHaveValue('')

  // Where only the answer was lost, it is there once: a note, and a reply that made the ticket another one.
  const chen = await world.desk('chen')
  for (const [key, text] of [
    ['n', '只丢了响应的备注'],
    ['r', '只丢了响应的回复'],
  ] as const) {
    await page.route('**/steps', async (route) => {
      const had = route.request().postDataJSON() as Record<string, unknown>
      const answer = await route.fetch({ postData: { ...had, ...(had.action === 'note' ? {} : { undo_within: 0 }) } })
      expect(answer.status()).toBe(200)
      await route.abort()
    })
    await page.locator('main h1').click()
    await page.keyboard.press(key)
    await page.locator('.comp textarea').fill(text)
    await page.keyboard.press('Control+Enter')
    await expect(page.locator('.comp .banner', { hasText: '没有发出' })).toBeVisible()
    await expect(page.locator('main .msg', { hasText: text })).toBeVisible() // the page knows it is there
    await page.unroute('**/steps')
    await page.route('**/steps', async (route) => {
      const had = route.request().postDataJSON() as Record<string, unknown>
      await route.continue({ postData: { ...had, ...(had.action === 'note' ? {} : { undo_within: 0 }) } })
    })
    await page.getByRole('button', { name: '重新发送' }).click()
    await expect(page.locator('.comp textarea')).toHaveValue('')
    await expect(page.locator('.comp .banner')).toHaveCount(0)
    await page.unroute('**/steps')
    const { items } = (await chen.call('GET', `/desk/v1/tickets/${number(page)}/messages`)) as { items: { text: string }[] }
    expect(items.filter((x) => x.text === text)).toHaveLength(1)
  }

  // A field that was emptied holds nothing that was not sent.
  await page.route('**/steps', (route) => route.abort())
  await page.keyboard.press('Escape')
  await page.locator('main h1').click()
  await page.keyboard.press('n')
  await page.locator('.comp textarea').fill('不要了')
  await page.keyboard.press('Control+Enter')
  await expect(page.locator('.comp .banner', { hasText: '没有发出' })).toBeVisible()
  await page.locator('.comp textarea').fill('')
  await expect(page.locator('.comp .banner')).toHaveCount(0)
  await page.unroute('**/steps')
})

test('the palette hears Chinese by its sound, and names no tickets where there are none', async ({ page, world }) => {
  await signInHouse(page, world, 'chen', '')
  await toList(page, 'open')
  await page.keyboard.press('Control+k')
  const field = page.locator('dialog[open] input')
  await field.fill('zqqxv')
  await expect(page.locator('dialog[open] [role=option]')).toHaveCount(1)
  await expect(page.locator('dialog[open] [role=option]')).toContainText('没有找到工单')
  await expect(page.locator('dialog[open] .group')).toHaveCount(0)
  await field.fill('fuwuqi')
  await expect(page.locator('dialog[open] [role=option]', { hasText: '服务器' }).first()).toBeVisible()
  // Tickets that the list does not hold, too.
  await page.keyboard.press('Escape')
  await page.goto('/desk/shift')
  await expect(page.locator('main h1')).toBeVisible() // the keys are heard
  await page.keyboard.press('Control+k')
  await field.fill('fuwuqi')
  await expect(page.locator('dialog[open] [role=option]', { hasText: '服务器' }).first()).toBeVisible()
  // A colleague by either name leads to what they handle; looks, language and the way out are here.
  await field.fill('zhuguan')
  await expect(page.locator('dialog[open] [role=option]', { hasText: 'zhao (赵主管)' })).toContainText('由其处理的工单')
  await field.fill('emma')
  await page.locator('dialog[open] [role=option]', { hasText: '由其处理的工单' }).click()
  await page.waitForURL(/\/desk\/search\?q=assignee/)
  await expect(page.locator('.hits li').first()).toBeVisible()
  await page.keyboard.press('Control+k')
  const option = page.locator('dialog[open] [role=option]')
  await field.fill('退出')
  await expect(option.last()).toContainText('退出登录')
  // It is found by how its name begins, by no word that tickets are about.
  for (const text of ['登录', 'denglu', 'dl']) {
    await field.fill(text)
    await expect(option.filter({ hasText: `“${text}”` }).first()).toBeVisible()
    await expect(option.filter({ hasText: '退出登录' })).toHaveCount(0)
  }
  for (const word of ['theme', '主题', 'zhuti', 'dark', 'night']) {
    await field.fill(word)
    await expect(page.locator('dialog[open] [role=option]', { hasText: '深色' }), word).toBeVisible()
  }
  await field.fill('shense')
  await page.keyboard.press('Enter')
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
})

test('the palette acts on a ticket only where one was reached', async ({ page, world }) => {
  await signInHouse(page, world, 'chen', '')
  await toList(page, 'open')
  await expect(page.locator('a[data-number]').first()).toBeVisible()
  const transfer = page.locator('dialog[open] [role=option] .tx', { hasText: /^转派$/ })
  const ask = async () => {
    await page.keyboard.press('Control+k')
    await page.locator('dialog[open] input').fill('转派')
    await expect(page.locator('dialog[open] [role=option]').first()).toBeVisible()
  }
  await ask()
  await expect(transfer).toHaveCount(0)
  await page.keyboard.press('Escape')
  await expect(page.locator('dialog[open]')).toHaveCount(0)
  await page.keyboard.press('t') // nor does the key
  await page.keyboard.press('j')
  await expect(page.locator('a[data-number]:focus')).toBeVisible()
  await expect(page.locator('dialog[open]')).toHaveCount(0)
  const which = await page.locator('a[data-number]:focus').getAttribute('data-number')
  await ask()
  await transfer.click()
  await expect(page.locator('dialog[open] h2')).toHaveText(`转派工单 ${which}`)
  await page.keyboard.press('Escape')

  // On a low page the ticket's menu stays in sight, whole or to be scrolled.
  await page.locator('a[data-number]').first().click()
  await expect(page.locator('main .msg').first()).toBeVisible()
  await page.keyboard.press('Control+k')
  await page.locator('dialog[open] input').fill('emma')
  const give = page.locator('dialog[open] [role=option]', { hasText: '转派工单' })
  if ((await page.locator('main .meta').textContent())?.includes('emma') !== true) {
    await give.click()
    await expect(page.locator('dialog[open] strong')).toHaveText('emma') // with the one it goes to
  }
  await page.keyboard.press('Escape')
  await expect(page.locator('dialog[open]')).toHaveCount(0)
  for (const size of [{ width: 1280, height: 600 }, { width: 1024, height: 600 }, { width: 390, height: 600 }]) {
    await page.setViewportSize(size)
    await page.getByRole('button', { name: '更多操作' }).click()
    for (const end of ['first', 'last'] as const) {
      const item = page.locator('main .pop .item')[end]()
      await item.scrollIntoViewIfNeeded()
      await expect(item).toBeInViewport({ ratio: 1 })
      expect(await item.evaluate((i) => { const b = i.getBoundingClientRect(); return i.contains(document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2)) }), `${size.width}: ${end}`).toBe(true)
    }
    await page.keyboard.press('Escape')
  }
})

test('merge shows the joined time line, and its undo brings both back', async ({ page, world }) => {
  const chen = await world.desk('chen')
  const mine = (await chen.call('GET', '/desk/v1/queues/mine/tickets?limit=50')) as { items: Row[] }
  const from = mine.items.find((x) => [1, 5, 17].includes(x.status) && mine.items.some((y) => y !== x && y.domain_id === x.domain_id && y.creator_name === x.creator_name && [0, 1, 5, 17].includes(y.status)))
  const into = mine.items.find((y) => y !== from && y.domain_id === from?.domain_id && y.creator_name === from?.creator_name && [0, 1, 5, 17].includes(y.status))
  if (from === undefined || into === undefined) throw new Error('no two tickets of one submitter')
  await signInHouse(page, world, 'chen', `/desk/t/${from.number}`)
  await expect(page.locator('main .msg').first()).toBeVisible()
  await page.keyboard.press('m')
  // What is another person's is not offered, and it is said why.
  const open = (await chen.call('GET', `/desk/v1/tickets?domain=${from.domain_id}&status=0&status=1&status=5&status=17&limit=100`)) as { items: Row[] }
  const other = open.items.find((x) => x.creator_name !== from.creator_name)
  if (other === undefined) throw new Error('no ticket of another person')
  await expect(page.locator('dialog[open]')).toContainText('是该客户其他人提交的，只有主管和管理员可以合并')
  await page.locator('dialog[open] input').fill(other.number)
  await expect(page.locator('dialog[open] [role=option]')).toHaveCount(0)
  await page.locator('dialog[open] input').fill(into.number)
  await expect(page.locator('dialog[open] [role=option]')).toHaveCount(1)
  await page.keyboard.press('Enter')
  await expect(page.locator('dialog[open] .ours').first()).toBeVisible()
  await page.locator('dialog[open]').getByRole('button', { name: '合并', exact: true }).click()
  await page.waitForURL(new RegExp(into.number))
  await expect(page.locator('main .msg', { hasText: '来自' }).first()).toBeVisible()
  await bar(page, '已合并到').getByRole('button', { name: '撤销' }).click()
  await expect(bar(page, '已撤销')).toBeVisible()
  await expect(page.locator('main .msg', { hasText: '来自' })).toHaveCount(0)
})

test('palette and search find by one Chinese character; views of others are seen', async ({ page, world }) => {
  await signInHouse(page, world, 'chen')
  await page.keyboard.press('Control+k')
  await page.locator('dialog[open] input').fill('库')
  await expect(page.locator('dialog[open] [role=option]', { hasText: '库' }).first()).toBeVisible()
  const customer = world.domains[0]?.domain_name ?? ''
  await page.locator('dialog[open] input').fill(customer)
  await expect(page.locator('dialog[open] [role=option]', { hasText: `${customer}` }).filter({ hasText: '查看该客户的工单' })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.locator('dialog[open]')).toHaveCount(0)
  await expect(async () => {
    await page.keyboard.press('g')
    await page.keyboard.press('s')
    await page.waitForURL(/\/desk\/search/, { timeout: 2000 })
  }).toPass() // two keys far apart, as on a busy machine, are no pair
  await expect(page.locator('main input[type=search]')).toBeFocused() // the place is loaded when it is first asked for
  await page.keyboard.type('库')
  await expect(page.locator('mark', { hasText: '库' }).first()).toBeVisible()
  expect(page.url()).toContain('q=')
})

test('another engineer who writes is named', async ({ page, world }) => {
  const emma = await world.desk('emma')
  await signInHouse(page, world, 'chen', '')
  await toTicket(page)
  await emma.call('PUT', `/desk/v1/tickets/${number(page)}/presence`, { doing: 'replying' })
  await expect(page.locator('.here')).toContainText('emma 正在写回复')
})
