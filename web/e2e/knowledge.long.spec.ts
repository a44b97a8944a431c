// Knowledge and figures in depth: versions, conflicts, files, a ticket's article,
// failures that must not be in the way, and the board's filters, files and keys.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { toTicket } from './desk-screens'
import { expect, signIn, signInHouse, test } from './world'

test('suggestions that fail or hang are not in the way; the list and the languages of an article', async ({ page, world, faults, context }) => {
  faults.allow.push(/console: Failed to load resource.*500/)
  await signIn(page, world, 'yunfan')
  await context.route('**/web/v1/article-suggestions', (r) => r.fulfill({ status: 500, json: { error_code: 'OSM.0500', error_msg: 'no' } }))
  await page.goto('/console/new')
  await page.locator('#text').fill('云服务器 SSH 无法登录')
  await page.waitForTimeout(1500)
  await expect(page.locator('.sug:visible, [role=alert]:visible')).toHaveCount(0)
  await context.unroute('**/web/v1/article-suggestions')
  await page.locator('#text').fill('云服务器 SSH 无法登录，请帮忙')
  await expect(page.locator('.sug li').first()).toBeVisible()
  await page.getByRole('button', { name: '收起' }).click()
  await expect(page.locator('.sug li').first()).toBeHidden()

  await page.goto('/console/articles')
  await expect(page.locator('.shelf li').first()).toBeVisible()
  await page.keyboard.press('/')
  await page.keyboard.type('健康检查')
  await expect(page).toHaveURL(/q=/)
  await expect(page.locator('.shelf li')).toHaveCount(1)
  await expect(page.locator('.shelf mark').first()).toHaveText('健康检查')
  await page.locator('.shelf .t').click()
  await expect(page.getByRole('heading', { level: 1, name: '负载均衡健康检查异常' })).toBeVisible()
  await page.getByRole('link', { name: 'English' }).click()
  await expect(page.locator('main h1')).toHaveAttribute('lang', 'en')
  await expect(page.locator('.prose')).toHaveAttribute('lang', 'en')
  await page.getByRole('button', { name: '没有帮助' }).click()
  await expect(page.getByRole('button', { name: '没有帮助' })).toHaveAttribute('aria-pressed', 'true')
  await page.reload()
  await expect(page.getByRole('button', { name: '没有帮助' })).toHaveAttribute('aria-pressed', 'true')

  // An internal one is not there for customers.
  faults.allow.push(/console: Failed to load resource.*400/)
  await page.goto('/console/articles/escalate-to-second-line')
  await expect(page.getByRole('heading', { level: 1, name: '没有这篇文章' })).toBeAttached()
})

test('versions, their difference, an older one again, and two who write at once', async ({ page, world, faults }) => {
  await signInHouse(page, world, 'chen', '/desk/knowledge/dns-not-resolving')
  const zh = page.getByRole('region', { name: '中文', exact: true })
  await zh.getByRole('button', { name: '编写' }).click()
  const text = await zh.getByLabel('正文').inputValue()
  await zh.getByLabel('正文').fill(`${text}\n\n最后一段是新的。`)
  await page.reload() // what was not saved is back
  await expect(page.getByText(/已恢复您/)).toBeVisible()
  await expect(page.getByRole('region', { name: '中文', exact: true }).getByLabel('正文')).toHaveValue(/最后一段是新的/)
  await page.getByPlaceholder(/改了什么/).fill('加了一段')
  await page.keyboard.press('Control+s')
  await expect(page.locator('main header')).toContainText('版本 2，读者看到版本 1')
  await page.getByRole('link', { name: '版本', exact: true }).click()
  await expect(page.locator('.lines ins').last()).toContainText('最后一段是新的。')
  await expect(page.locator('ol.list')).toContainText('加了一段')
  await page.locator('ol.list li').last().getByRole('button', { name: '恢复此版本' }).click()
  await expect(page.locator('main header')).toContainText('版本 3')

  // Another one changes it meanwhile: nothing is lost, and it is told.
  faults.allow.push(/console: Failed to load resource.*409/)
  await page.goto('/desk/knowledge/dns-not-resolving')
  await zh.getByRole('button', { name: '编写' }).click()
  await zh.getByLabel('摘要').fill('我的摘要')
  const emma = await world.desk('emma')
  const now = (await emma.call('GET', '/desk/v1/articles/dns-not-resolving')) as { visibility: string; zh: object; en: { title: string; body: string }; tags: string[]; products: string[]; problem_types: string[] }
  const words = (w: object) => Object.fromEntries(Object.entries(w).filter(([k]) => k !== 'html'))
  await emma.call('PUT', '/desk/v1/articles/dns-not-resolving', { visibility: now.visibility, zh: words(now.zh), en: { ...words(now.en), title: 'A name is not resolved' }, tags: now.tags, products: now.products, problem_types: now.problem_types })
  await page.getByRole('button', { name: '保存', exact: true }).click()
  const told = page.locator('.banner', { hasText: '有人同时修改了这篇文章' })
  await expect(told).toContainText('Emma')
  await expect(zh.getByLabel('摘要')).toHaveValue('我的摘要')
  await told.getByRole('button', { name: '以我的为准保存' }).click()
  await expect(told).toBeHidden()
  await expect(page.locator('main header')).toContainText('版本 5')
})

test('articles as files, out and in again', async ({ page, world, faults }) => {
  faults.allow.push(/console: Failed to load resource.*400/)
  await signInHouse(page, world, 'chen', '/desk/knowledge')
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: '导出' }).click()])
  expect(file.suggestedFilename()).toBe('articles.zip')
  const path = await file.path()
  const names = execFileSync('python3', ['-c', 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print("\\n".join(z.namelist()))', path], { encoding: 'utf8' }).trim().split('\n')
  expect(names).toContain('eip-blocked.zh-cn.md')
  const text = execFileSync('python3', ['-c', 'import sys, zipfile; sys.stdout.write(zipfile.ZipFile(sys.argv[1]).read("billing-invoice.zh-cn.md").decode())', path], { encoding: 'utf8' })
  const english = execFileSync('python3', ['-c', 'import sys, zipfile; sys.stdout.write(zipfile.ZipFile(sys.argv[1]).read("billing-invoice.en-us.md").decode())', path], { encoding: 'utf8' })

  await page.getByRole('button', { name: '导入' }).click()
  const dialog = page.getByRole('dialog', { name: '从文件导入文章' })
  const choose = (zh: string) =>
    dialog.getByLabel('文件').setInputFiles([
      { name: 'billing-invoice.zh-cn.md', mimeType: 'text/markdown', buffer: Buffer.from(zh) },
      { name: 'billing-invoice.en-us.md', mimeType: 'text/markdown', buffer: Buffer.from(english) },
    ])
  await choose(text)
  await expect(dialog).toContainText('没有变化')
  await choose(text.replace('visibility: customers', 'visibility: everybody'))
  await expect(dialog.getByRole('alert')).toContainText('billing-invoice.zh-cn.md')
  await choose(text.replace(/^title: .*$/m, 'title: 怎样开发票'))
  await expect(dialog.locator('.plan li')).toContainText('中文标题')
  await dialog.getByRole('button', { name: '导入' }).click()
  await expect(page.locator('.hits').getByRole('link', { name: '怎样开发票' })).toBeVisible()
  expect(readFileSync(path).length).toBeGreaterThan(1000)
})

test('in a ticket: internal articles stay inside, links come and go, an article from the ticket', async ({ page, world }) => {
  await signInHouse(page, world, 'chen', '')
  await toTicket(page)
  await page.locator('main h1').click()
  await page.keyboard.press('b')
  await page.locator('dialog[open] input').fill('二线')
  await expect(page.locator('dialog[open] [role=option]').first()).toContainText('仅内部')
  await page.keyboard.press('Enter')
  await expect(page.locator('.toast', { hasText: '不能写进回复' })).toBeVisible()
  await expect(page.locator('.comp textarea')).toHaveValue('')
  await page.locator('#tab-note').click()
  await page.locator('main h1').click()
  await page.keyboard.press('Control+k')
  await page.locator('dialog[open] input').fill('插入文章')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('dialog', { name: '插入文章' })).toBeVisible()
  await page.locator('dialog[open] input').fill('二线')
  await expect(page.locator('dialog[open] [role=option]').first()).toContainText('仅内部')
  await page.keyboard.press('Enter')
  await expect(page.locator('.comp.note textarea')).toHaveValue(/escalate-to-second-line/)
  const panel = page.getByRole('region', { name: '知识' })
  await panel.getByRole('button', { name: /取消关联/ }).click()
  await page.locator('.toast', { hasText: '已取消关联' }).getByRole('button', { name: '重新关联' }).click()
  await expect(panel.getByRole('button', { name: /取消关联/ })).toHaveCount(1)

  const headline = (await page.locator('main h1').textContent()) ?? ''
  await panel.getByRole('link', { name: '由此工单写文章' }).click()
  const own = page.getByRole('region', { name: /\p{Script=Han}/u.test(headline) ? '中文' : '英文', exact: true }) // the first ticket may be in either
  await expect(own.getByLabel('标题')).toHaveValue(headline.trim())
  await expect(page.getByText('请删去客户名称')).toBeVisible()
  await page.getByLabel('标识').fill('from-a-ticket')
  await page.getByRole('button', { name: '创建草稿' }).click()
  await page.waitForURL(/\/desk\/knowledge\/from-a-ticket/)
  await page.getByRole('link', { name: '使用情况' }).click()
  await expect(page.locator('main ul li a.num')).toHaveCount(1)
})

test('the board: filters in the address, a bar opens its list, files, and what an engineer sees', async ({ page, world }) => {
  await signInHouse(page, world, 'zhao', '/desk/board?days=7')
  await expect(page.locator('main canvas').first()).toBeVisible()
  const open = page.getByRole('region', { name: '未完成工单', exact: true })
  const all = Number(await page.locator('.tiles a').first().textContent())
  await page.getByLabel('全部工程师').or(page.locator('select').nth(3)).first().selectOption({ label: 'chen' })
  await expect(page).toHaveURL(/engineer_id=/)
  await expect.poll(async () => Number(await page.locator('.tiles a').first().textContent())).toBeLessThan(all)
  const hers = Number(await page.locator('.tiles a').first().textContent())
  await page.locator('.tiles a').first().click()
  await expect(page.locator('tbody tr')).toHaveCount(hers)
  await expect(page.locator('main .tag')).toContainText(['chen'])
  await page.goBack()

  // A click on the first bar: its list has as many as the table says.
  await expect(open.locator('canvas')).toBeVisible()
  await page.waitForTimeout(500)
  const box = await open.locator('canvas').boundingBox()
  if (box === null) throw new Error('no chart')
  for (let x = 0.2; x < 0.6 && !/\/board\/open/.test(page.url()); x += 0.05) await page.mouse.click(box.x + box.width * x, box.y + 24)
  await expect(page).toHaveURL(/\/board\/open\?.*severity_id=/)
  await page.goBack()

  await open.getByRole('button', { name: /下载/ }).click()
  const [csv] = await Promise.all([page.waitForEvent('download'), open.getByRole('button', { name: 'CSV' }).click()])
  expect(readFileSync(await csv.path(), 'utf8').split('\n').length).toBeGreaterThan(2)
  await open.getByRole('button', { name: /表格/ }).click()
  await expect(open.locator('table a').first()).toBeVisible()

  await page.goto('/desk/board?from=2020-01-01&to=2020-01-31')
  await expect(page.getByText('这段时间没有数据').first()).toBeVisible()
})

test('figures are for the main account', async ({ page, world, faults }) => {
  faults.allow.push(/console: Failed to load resource.*403/)
  await signIn(page, world, 'lihua', 0, '/console/figures')
  await expect(page.getByText('只有主账号可以查看统计')).toBeVisible()
})
