// The customer's story, from the sign-in to the marks.
import { readFileSync } from 'node:fs'
import { axeClean } from './axe'
import { expect, signIn, test, throughPage } from './world'

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjmAAAAAElFTkSuQmCC'

/** Pastes a picture into the focused field, as a screenshot is. */
async function pastePicture(page: import('@playwright/test').Page, selector: string) {
  await page.locator(selector).evaluate((node, data) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0))
    const t = new DataTransfer()
    t.items.add(new File([bytes], 'image.png', { type: 'image/png' }))
    node.dispatchEvent(new ClipboardEvent('paste', { clipboardData: t, bubbles: true, cancelable: true }))
  }, png)
}

test('a customer submits with a proved number and a pasted picture, replies, confirms, closes and rates', async ({ page, world }) => {
  test.setTimeout(120_000)
  await signIn(page, world, 'lihua')
  await page.getByRole('link', { name: '提交工单' }).click()
  await expect(page.getByRole('heading', { level: 1, name: '提交工单' })).toBeVisible()

  // What and where.
  await page.getByLabel('搜索产品').fill('ecs')
  await page.getByRole('button', { name: /弹性云服务器/ }).click()
  await page.getByRole('button', { name: /远程登录/ }).click()
  await expect(page.getByText('首次响应不晚于')).toBeVisible()
  await page.locator('#region').selectOption({ index: 3 })
  await page.locator('#text').fill('三台云服务器从 09:10 起无法登录。')
  await pastePicture(page, '#text')
  await expect(page.getByText('已上传')).toBeVisible()
  await expect(page.getByText(/pasted-\d{8}-\d{6}\.png/)).toBeVisible()
  await expect(page.locator('#text')).toHaveValue(/^三台云服务器从 09:10 起无法登录。\n!\[pasted-[\d-]+\.png\]\(attachment:(?!wait-)[\w-]+ "10x10"\)\n$/)

  // A number that is not the account's has to be proved.
  const phone = '13812345678'
  await page.getByLabel(/^手机/).fill(phone)
  await page.getByRole('button', { name: '发送验证码' }).click()
  const code = page.getByLabel('六位验证码')
  await expect(code).toBeFocused()
  await expect(page.getByRole('button', { name: /重新发送（0:/ })).toBeVisible()
  const right = world.code(phone)
  expect(right).toMatch(/^\d{6}$/)
  await code.fill(right)
  await expect(page.getByText('已核验')).toBeVisible()
  await page.getByLabel('我已阅读并同意').check()
  await page.locator('aside').getByRole('button', { name: '提交工单', exact: true }).click()

  // There it is, with its picture.
  await page.waitForURL(/\/console\/tickets\/TS/)
  const number = new URL(page.url()).pathname.split('/').at(-1) ?? ''
  await expect(page.getByRole('heading', { level: 1 })).toContainText('三台云服务器')
  await expect(page.getByRole('heading', { level: 1 })).not.toContainText('attachment:')
  const picture = page.locator('.msg .rich').getByRole('button', { name: /查看图片 pasted-/ })
  await expect(picture.locator('img')).toBeVisible()
  await expect(page.locator('.msg .files').getByRole('button', { name: /下载 pasted-/ })).toBeVisible()
  await picture.click()
  await expect(page.getByRole('dialog').getByRole('img')).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(picture).toBeFocused()
  await axeClean(page, 'ticket')

  // An engineer asks; the page shows it without a reload.
  const chen = await world.desk('chen')
  await chen.call('POST', `/desk/v1/tickets/${number}/steps`, { action: 'accept' })
  await chen.call('POST', `/desk/v1/tickets/${number}/steps`, { action: 'ask', text: '请提供客户端出口 IP。' })
  await expect(page.getByText('请提供客户端出口 IP。')).toBeVisible({ timeout: 5_000 })
  await expect(page.getByText('工程师在等您的答复。')).toBeVisible()
  await page.keyboard.press('r')
  await expect(page.getByLabel('回复', { exact: true })).toBeFocused()
  await page.keyboard.type('出口 IP 是 203.0.113.24。')
  await page.keyboard.press('Control+Enter')
  await expect(page.locator('.msg').getByText('出口 IP 是 203.0.113.24。')).toBeVisible()
  await expect(page.getByRole('button', { name: /^撤回（/ })).toBeVisible()

  // A solution, confirmed and rated in place.
  await chen.call('POST', `/desk/v1/tickets/${number}/steps`, { action: 'resolve', text: '路由已恢复，请确认。' })
  await expect(page.getByLabel('回复', { exact: true })).toHaveAccessibleDescription(/发送后工单会重新打开/)
  await expect(page.locator('aside .facts').first()).toContainText('产品弹性云服务器')
  await page.getByRole('button', { name: '已解决', exact: true }).click({ timeout: 10_000 })
  await expect(page.getByText('1 分表示很不满意，5 分表示非常满意。')).toBeVisible()
  await page.getByText('处理结果满意度').locator('..').getByText('5', { exact: true }).click()
  await page.getByLabel('意见（选填）').fill('很快，谢谢。')
  await page.locator('.panel').getByRole('button', { name: '关闭工单' }).click()
  await expect(page.getByText('工单已完成，您已评价。')).toBeVisible()
  await expect(page.locator('.given')).toContainText('5 分（满分 5 分）')
  await expect(page.locator('.given')).toContainText('很快，谢谢。')
  expect(await chen.call('GET', `/desk/v1/tickets/${number}`)).toMatchObject({ rating: { comment: '很快，谢谢。', scores: [{ points: 5 }] } })

  // It is in the list by its state.
  await page.goto('/console/tickets?status=3')
  await expect(page.getByRole('link', { name: /三台云服务器/ })).toBeVisible()
})

test('a draft brings its pasted picture back; one that is no more is told', async ({ page, world, faults }) => {
  // It is uploaded before it is measured: its place gets the size then.
  await page.addInitScript(() => {
    const own = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, 'src') ?? {}
    Object.defineProperty(HTMLImageElement.prototype, 'src', { ...own, set(to: string) { setTimeout(() => own.set?.call(this, to), !this.isConnected && to.startsWith('blob:') ? 1500 : 0) } })
  })
  await signIn(page, world, 'yunfan', 0, '/console/new')
  await page.locator('#text').fill('看图')
  await pastePicture(page, '#text')
  await expect(page.getByText('已上传')).toBeVisible()
  await expect(page.locator('#text')).toHaveValue(/attachment:(?!wait-)[\w-]+ "10x10"\)/)
  const text = await page.locator('#text').inputValue()
  await page.locator('#text').blur()
  await page.reload()
  await expect(page.locator('#text')).toHaveValue(text)
  await expect(page.getByText('已上传')).toBeVisible()
  await expect(page.locator('details img')).toBeVisible()
  await expect.poll(() => page.locator('details img').evaluate((e: HTMLImageElement) => e.naturalWidth)).toBe(10)

  faults.allow.push(/Failed to load resource/)
  const id = /attachment:([\w-]+)/.exec(text)?.[1] ?? ''
  const gone = await page.evaluate(async (id) => {
    const session = (await (await fetch('/web/v1/session')).json()) as { csrf: string }
    return (await fetch(`/v2/servicerequest/accessorys/${id}`, { method: 'DELETE', headers: { 'X-Csrf': session.csrf } })).status
  }, id)
  expect(gone).toBeLessThan(300)
  await page.reload()
  await expect(page.getByText(/pasted-[\d-]+\.png 已不在服务器上，请重新添加/)).toBeVisible()
  await expect(page.locator('#text')).toHaveValue(/^看图\n+$/)
  await expect(page.getByText('已上传')).toHaveCount(0)
  await page.getByRole('button', { name: '清空草稿' }).click()
})

test('a wrong code is told, and the contact stays unproved', async ({ page, world, faults }) => {
  faults.allow.push(/console: Failed to load resource.*400/)
  await signIn(page, world, 'wangwei', 0, '/console/new')
  await page.getByLabel(/^手机/).fill('13812345699')
  await page.getByRole('button', { name: '发送验证码' }).click()
  const right = world.code('13812345699')
  await page.getByLabel('六位验证码').fill(right === '000000' ? '000001' : '000000')
  await expect(page.locator('#q-contact').getByText(/验证码不正确或已过期/)).toBeVisible()
  await expect(page.getByLabel('六位验证码')).toHaveValue('')
  await expect(page.getByRole('button', { name: '手机验证码' })).toBeVisible()
  await page.getByLabel('六位验证码').fill(right)
  await expect(page.getByText('已核验')).toBeVisible()
})

test('a reply that fails is kept, and is sent again with one click', async ({ page, world, faults, context }) => {
  faults.allow.push(/console: Failed to load resource/)
  await throughPage(page, world, 'lihua') // it ends its session
  await page.goto('/console/tickets?status=1')
  await page.locator('.tickets a.row').first().click()
  const reply = page.getByLabel('回复', { exact: true })
  await reply.fill('这条消息不会丢失。')
  await context.route('**/message', (r) => r.abort('internetdisconnected'))
  await reply.press('Control+Enter')
  await expect(page.locator('.err', { hasText: '未发送' })).toBeVisible()
  await expect(reply).toHaveValue('这条消息不会丢失。')
  await context.unroute('**/message')
  await expect(page.locator('.msg', { hasText: '这条消息不会丢失。' })).toHaveCount(0) // at one place: in the field
  await page.getByRole('button', { name: '重新发送' }).click()
  await expect(page.locator('.err', { hasText: '未发送' })).toHaveCount(0)
  await expect(page.locator('.msg').getByText('这条消息不会丢失。')).toHaveCount(1)
  await expect(reply).toHaveValue('') // once is enough
  await reply.fill('这条消息不会丢失。') // said once more, it is another message
  await reply.press('Control+Enter')
  await expect(page.locator('.msg').getByText('这条消息不会丢失。')).toHaveCount(2)
  await expect(page.locator('.msg', { hasText: '发送中' })).toHaveCount(0) // until then it is kept
  await page.reload()
  await expect(page.locator('.msg').getByText('这条消息不会丢失。')).toHaveCount(2)
  await expect(reply).toHaveValue('')

  // The server took it, but the page is loaded anew before it hears so: it stands there with its file, not in the field, and is there once when it is tried again.
  let taken = false
  await context.route('**/message', async (r) => {
    await r.fetch()
    taken = true
  })
  await page.locator('.composer input[type=file]').setInputFiles({ name: 'cut.txt', mimeType: 'text/plain', buffer: Buffer.from('cut') })
  await expect(page.locator('.composer').getByText('cut.txt')).toBeVisible()
  await reply.fill('途中刷新的一条')
  await reply.press('Control+Enter')
  await expect.poll(() => taken).toBe(true)
  await page.reload()
  const cut = page.locator('.msg', { hasText: '途中刷新的一条' }).filter({ hasText: '重试不会重复发送' })
  await expect(cut).toBeVisible()
  await expect(reply).toHaveValue('')
  await context.unroute('**/message')
  await cut.getByRole('button', { name: '重试' }).click()
  await expect(cut).toHaveCount(0)
  await expect(page.locator('.msg', { hasText: '发送中' })).toHaveCount(0)
  await expect(page.locator('.msg', { hasText: '途中刷新的一条' })).toHaveCount(1)
  await expect(page.locator('.msg', { hasText: '途中刷新的一条' })).toContainText('cut.txt')
  await page.reload()
  await expect(page.locator('.msg', { hasText: '途中刷新的一条' })).toHaveCount(1)
  await expect(reply).toHaveValue('')

  // Tried a day after, nothing is promised: the server may not know it again.
  await context.route('**/message', () => undefined)
  await reply.fill('昨天发出的一条')
  await reply.press('Control+Enter')
  await expect(page.locator('.msg', { hasText: '昨天发出的一条' })).toContainText('发送中')
  await page.reload()
  const old = page.locator('.msg', { hasText: '昨天发出的一条' })
  await expect(old).toContainText('重试不会重复发送')
  const here = page.url()
  await page.goto('/console')
  await page.evaluate(() => {
    for (const [k, v] of Object.entries(localStorage)) if (k.includes('.unsent.')) localStorage.setItem(k, v.replace(/("once":[^{]*?"at":)(\d+)/g, (_: string, a: string, t: string) => `${a}${Number(t) - 24 * 3_600_000}`))
  })
  await page.goto(here)
  await expect(old).toContainText('超过 23 小时')
  await expect(old).not.toContainText('重试不会重复发送')

  // Who signs out leaves nothing of it here; the palette leads out by no word that tickets are about.
  const words = page.getByRole('combobox')
  const option = page.locator('dialog[open] [role=option]')
  await page.keyboard.press('Control+k')
  for (const text of ['登录', 'denglu', 'dl']) {
    await words.fill(text)
    await expect(option.filter({ hasText: `“${text}”` }).first()).toBeVisible()
    await expect(option.filter({ hasText: '退出登录' })).toHaveCount(0)
  }
  await words.fill('退出')
  await expect(option.last()).toContainText('退出登录')
  await option.last().click()
  await page.waitForURL(/\/login/)
  expect(await page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('casemate.draft.')))).toEqual([])
})

/** Answers of sending wait until they are let fail. */
async function heldBack(page: import('@playwright/test').Page) {
  const held: import('@playwright/test').Route[] = []
  await page.route('**/message', (r) => void held.push(r))
  return {
    came: () => expect.poll(() => held.length).toBe(1),
    fail: async () => {
      await held[0]?.abort('internetdisconnected')
      await page.unroute('**/message')
    },
  }
}

test('a reply that fails while another ticket is read is told there, and stands with its ticket beside what was written since', async ({ page, world, faults }) => {
  faults.allow.push(/console: Failed to load resource/)
  await signIn(page, world, 'lihua', 0, '/console/tickets?status=1')
  const row = page.locator('.tickets a.row')
  const first = (await row.first().getAttribute('href')) ?? ''
  await row.first().click()
  const reply = page.getByLabel('回复', { exact: true })
  const away = async () => {
    await page.locator('.crumbs a').click()
    const other = page.locator(`.tickets a.row:not([href="${first}"])`).first()
    const path = (await other.getAttribute('href')) ?? ''
    await other.click()
    await expect(page).toHaveURL(new RegExp(`${path}$`))
    await expect(page.locator('.entries')).toBeVisible()
  }
  const open = page.locator('.toast.wrong', { hasText: '内容已保留' }).getByRole('button', { name: '打开' })
  const failed = (text: string) => page.locator('.msg', { hasText: text }).filter({ hasText: '未发送' })

  // What is written after it is kept, so the first stands above it.
  let net = await heldBack(page)
  await reply.fill('先发的一条')
  await reply.press('Control+Enter')
  await net.came()
  await reply.fill('还在写的一条')
  await expect(page.getByText(/草稿/)).toBeVisible() // kept
  await away()
  await net.fail()
  await open.click()
  await expect(reply).toHaveValue('还在写的一条')
  await page.reload()
  await expect(reply).toHaveValue('还在写的一条')
  await failed('先发的一条').getByRole('button', { name: '重试' }).click()
  await expect(failed('先发的一条')).toHaveCount(0)
  await expect(page.locator('.msg', { hasText: '先发的一条' })).toHaveCount(1)
  await expect(reply).toHaveValue('还在写的一条')
  await reply.fill('')
  await reply.blur()

  // With a file it stands where it was sent from, and in the field no second time.
  net = await heldBack(page)
  await page.locator('.composer input[type=file]').setInputFiles({ name: 'trace.txt', mimeType: 'text/plain', buffer: Buffer.from('trace') })
  await expect(page.locator('.composer').getByText('trace.txt')).toBeVisible()
  await reply.fill('附日志一份')
  await reply.press('Control+Enter')
  await net.came()
  await away()
  await net.fail()
  await open.last().click()
  await expect(failed('附日志一份')).toBeVisible()
  await expect(reply).toHaveValue('')
  // A page that is loaded anew has it still, and in the field no second time.
  await page.reload()
  await expect(failed('附日志一份')).toBeVisible()
  await expect(reply).toHaveValue('')
  await failed('附日志一份').getByRole('button', { name: '重试' }).click()
  await expect(failed('附日志一份')).toHaveCount(0)
  await expect(reply).toHaveValue('')
  await expect(page.locator('.msg', { hasText: '发送中' })).toHaveCount(0) // until then it is kept
  await page.reload()
  await expect(page.locator('.msg', { hasText: '附日志一份' })).toHaveCount(1)
  await expect(reply).toHaveValue('')

  // A file that was chosen meanwhile stays chosen.
  net = await heldBack(page)
  await reply.fill('发送途中选了附件')
  await reply.press('Control+Enter')
  await net.came()
  await page.locator('.composer input[type=file]').setInputFiles({ name: 'next.txt', mimeType: 'text/plain', buffer: Buffer.from('next') })
  await expect(page.locator('.composer').getByText('next.txt')).toBeVisible()
  await net.fail()
  await expect(failed('发送途中选了附件')).toBeVisible()
  await expect(page.locator('.composer').getByText('next.txt')).toBeVisible()
  await expect(reply).toHaveValue('')

  // Given up, it comes back nowhere.
  await failed('发送途中选了附件').getByRole('button', { name: '放弃' }).click()
  await page.reload()
  await expect(reply).toHaveValue('')
  await expect(page.locator('.msg', { hasText: '发送途中选了附件' })).toHaveCount(0)
})

test('a ticket that goes on from a finished one leaves the one that is being written alone', async ({ page, world }) => {
  await signIn(page, world, 'lihua', 0, '/console/new')
  const text = page.locator('#text')
  await text.fill('写到一半的工单，还没有提交。')
  await page.goto('/console/tickets?status=3')
  await page.locator('.tickets a.row').first().click()
  await page.getByRole('link', { name: '由此新建工单' }).first().click()
  await expect(text).toHaveValue(/^接工单 /)
  await text.fill('接着上次的问题：')
  await page.reload()
  await expect(text).toHaveValue('接着上次的问题：')
  await page.goto('/console/new')
  await expect(text).toHaveValue('写到一半的工单，还没有提交。')
  await page.getByRole('button', { name: '清空草稿' }).click()
})

test('who submitted names the reader too, and the numbers on the tabs are of what was searched', async ({ page, world }) => {
  await signIn(page, world, 'yunfan', 0, '/console/tickets')
  const by = page.getByLabel('提交人')
  await page.getByLabel('查看谁的工单').selectOption({ label: '我的工单' })
  await expect(by.locator('option:checked')).toHaveText('yunfan')
  await page.getByLabel('查看谁的工单').selectOption({ label: '账号的全部工单' })
  await expect(by.locator('option:checked')).toHaveText('所有人')
  const all = page.locator('.tabs a').first()
  const number = await page.locator('.tickets a.row .num').first().innerText()
  await page.getByLabel('搜索编号或描述').fill(number)
  await page.getByLabel('搜索编号或描述').press('Enter')
  await expect(all).toHaveText('全部 1')
  await expect(page.locator('.tickets a.row')).toHaveCount(1)
  await expect(page.locator('.tabs a')).toHaveCount(2)
})

test('an Enter that confirms a candidate of an input method does not sign in, the next one does', async ({ page }) => {
  await page.goto('/login')
  await page.locator('#password').evaluate((node) => {
    node.dispatchEvent(new CompositionEvent('compositionstart', { bubbles: true }))
    node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }))
  })
  await expect(page.locator('[aria-invalid]')).toHaveCount(0)
  await page.locator('#password').evaluate(async (node) => {
    node.dispatchEvent(new CompositionEvent('compositionend', { bubbles: true }))
    await new Promise((r) => setTimeout(r, 80))
    node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }))
  })
  await expect(page.locator('[aria-invalid]').first()).toBeVisible()
})

test('an English page finds products by their Chinese names and sounds, and shows a pasted picture below its text', async ({ page, world }) => {
  await page.addInitScript(() => localStorage.setItem('casemate.language', 'en-us'))
  await signIn(page, world, 'lihua')
  await page.goto('/console/new')
  const search = page.getByLabel('Search products or problems')
  const tile = page.locator('.tile', { hasText: '弹性云服务器' })
  for (const words of ['弹性云', 'tanxingyun', 'txy']) {
    await search.fill(words)
    await expect(tile.first(), words).toContainText('Elastic Cloud Server')
    await expect(tile.first().locator('[lang=zh-CN]')).toHaveText('弹性云服务器')
  }
  await search.fill('ecs')
  await expect(page.locator('.tile').first()).toContainText('Elastic Cloud Server')
  await expect(tile).toHaveCount(0) // found by its own name: the other one says nothing more
  await search.fill('cloud server cannot log in')
  await expect(page.locator('.tile').first()).toContainText(/login.*Elastic Cloud Server/)
  await search.fill('')
  await page.locator('#text').fill('Look:')
  await pastePicture(page, '#text')
  const preview = page.locator('details', { hasText: 'Preview' })
  await expect(preview.getByRole('img', { name: /^pasted-/ })).toBeVisible()
  await expect(preview).toContainText('Look:')
  await expect.poll(() => preview.getByRole('img').evaluate((i: HTMLImageElement) => i.naturalWidth)).toBe(10)
  await axeClean(page, 'submit with a preview')
  await page.locator('#text').fill('Look: `ping` **fails**')
  await expect(preview.locator('code')).toHaveText('ping') // Markdown too, without a picture
  await expect(preview.locator('strong')).toHaveText('fails')
  await page.locator('#text').fill('')
  await expect(preview).toHaveCount(0)
})

test('a button says that words are kept behind it', async ({ page, world }) => {
  await signIn(page, world, 'lihua')
  await page.goto('/console/tickets?status=1')
  await page.locator('.tickets li a').first().click()
  const close = page.getByRole('button', { name: /^关闭工单/ }).first()
  await close.click()
  await page.getByLabel('意见（选填）').fill('先写一半')
  await expect(page.getByText(/草稿已保存在本机/)).toBeVisible()
  await page.locator('.panel').getByRole('button', { name: '取消' }).click()
  await expect(close).toHaveAccessibleName('关闭工单 · 有草稿')
  await axeClean(page, 'ticket with a draft')
  await page.reload()
  await expect(close).toHaveAccessibleName('关闭工单 · 有草稿')
  await close.click()
  await page.getByRole('button', { name: '丢弃草稿' }).click()
  await page.locator('.panel').getByRole('button', { name: '取消' }).click()
  await expect(close).toHaveAccessibleName('关闭工单')
})

test('the audit tells of failed log-ins and of labels by their names, on the page and in its file', async ({ page, world }) => {
  const lihua = world.domains[0]?.users[1]
  for (const [name, status] of [[lihua?.name, 401], ['nobody-of-this-name', 401]] as const) {
    const r = await page.request.post(`${world.base}/v3/auth/tokens`, {
      data: { auth: { identity: { methods: ['password'], password: { user: { name, password: 'not-the-password', domain: { name: world.domains[0]?.domain_name } } } } } },
    })
    expect(r.status()).toBe(status)
  }
  await signIn(page, world, 'yunfan')
  await page.goto('/console/labels')
  await page.getByLabel('新建标签').fill('季度割接')
  await page.getByRole('button', { name: '添加', exact: true }).click()
  await page.getByRole('button', { name: '删除标签 季度割接' }).click()
  await page.getByRole('button', { name: '删除', exact: true }).click()
  await expect(page.locator('.toast', { hasText: '标签已删除' })).toBeVisible() // it is spoken as well, in a line of its own
  await page.goto('/console/audit?what=login')
  const failed = page.locator('.list li', { hasText: '登录失败：密码错误' })
  await expect(failed).toHaveCount(1)
  await expect(failed).toContainText('有人以 lihua 的名义')
  const [logins] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: '下载 CSV' }).click()])
  expect(readFileSync(await logins.path(), 'utf8').replaceAll('"', '')).toMatch(/登录失败：密码错误,loginFailed,有人以 lihua 的名义,用户,lihua,/)
  await page.goto('/console/audit?what=label')
  await expect(page.locator('.list li', { hasText: '删除标签' }).first()).toContainText('季度割接')
  await axeClean(page, 'audit of labels')
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: '下载 CSV' }).click()])
  const text = readFileSync(await file.path(), 'utf8').replaceAll('"', '')
  expect(text).toMatch(/删除标签（[^,]*）,deleteLabel,yunfan,标签,季度割接,\d+,/)
  expect(text).not.toContain('not-the-password')
})
