// Knowledge for both sides: suggested while a ticket is written, written and
// published by an engineer, put into a reply. And a number of the board.
import { axeClean } from './axe'
import { toTicket } from './desk-screens'
import { expect, signIn, signInHouse, test } from './world'

test('articles are suggested while a ticket is written, and read without losing it', async ({ page, world }) => {
  await signIn(page, world, 'lihua', 0, '/console/new')
  const text = '云服务器 SSH 无法远程登录，提示 Permission denied'
  await page.locator('#text').fill(text)
  const suggested = page.getByRole('region', { name: '这些文章或许有帮助' })
  await expect(suggested.getByRole('link', { name: '云服务器无法远程登录（SSH）' })).toHaveAttribute('href', /\/console\/articles\/ecs-ssh-login\?s=.+/)
  await axeClean(page, 'suggestions')
  await suggested.getByRole('link', { name: '云服务器无法远程登录（SSH）' }).click()
  const reader = page.getByRole('dialog', { name: '云服务器无法远程登录（SSH）' })
  await expect(reader.locator('pre')).toContainText('systemctl status sshd')
  await reader.getByRole('button', { name: '有帮助', exact: true }).click()
  await expect(reader.getByText('谢谢您的反馈')).toBeVisible()
  await axeClean(page, 'reader')
  await page.keyboard.press('Escape')
  await expect(reader).toBeHidden()
  await expect(page.locator('#text')).toHaveValue(text)
})

test('an engineer writes and publishes an article, and answers with it', async ({ page, world }) => {
  await signInHouse(page, world, 'chen')
  await page.keyboard.press('g')
  await page.keyboard.press('k')
  await expect(page.locator('.hits li').first()).toBeVisible()
  await page.keyboard.press('n')
  await expect(page.getByRole('heading', { level: 1, name: '写文章' })).toBeVisible()
  const zh = page.getByRole('region', { name: '中文', exact: true })
  await zh.getByLabel('标题').fill('云盘扩容后系统看不到空间')
  await zh.getByLabel('正文').fill('扩容后执行：\n\n```\ngrowpart /dev/vda 1\n```\n\n| 系统 | 命令 |\n|---|---|\n| ext4 | resize2fs |')
  await page.getByRole('region', { name: '英文', exact: true }).getByLabel('标题').fill('Resized disk: space is missing')
  await expect(page.getByLabel('标识')).toHaveValue('resized-disk-space-is-missing')
  await page.getByLabel('客户可读').check()
  await zh.getByRole('button', { name: '预览' }).click()
  await expect(zh.locator('table td').last()).toHaveText('resize2fs')
  await page.getByRole('button', { name: '创建草稿' }).click()
  await page.waitForURL(/\/desk\/knowledge\/resized-disk/)
  await expect(page.locator('main header .st')).toHaveText('草稿')
  await page.getByRole('button', { name: '发布', exact: true }).click()
  // English has a title and no text: it says so, and nothing is published.
  await expect(page.locator('.toast', { hasText: '英文还没有正文' })).toBeVisible()
  await expect(page.locator('main header .st')).toHaveText('草稿')
  const en = page.getByRole('region', { name: '英文', exact: true })
  await en.getByLabel('正文').fill('Run growpart, then resize2fs.')
  await page.getByRole('button', { name: '发布', exact: true }).click() // what is written is saved first
  await expect(page.locator('main header .st')).toHaveText('已发布')

  await toTicket(page)
  await page.locator('main h1').click()
  await page.keyboard.press('b')
  await page.locator('dialog[open] input').fill('云盘扩容')
  await expect(page.locator('dialog[open] [role=option]')).toHaveCount(1)
  await page.keyboard.press('Enter')
  // In the ticket's language, which is the customer's.
  await expect(page.locator('.comp.reply textarea')).toHaveValue(new RegExp(`^\\[(云盘扩容后系统看不到空间|Resized disk: space is missing)\\]\\(${world.base}/console/articles/resized-disk-space-is-missing\\)$`))
  await expect(page.locator('.around').getByRole('link', { name: '云盘扩容后系统看不到空间' })).toBeVisible()
})

test('a number of the board is the count of the list it opens', async ({ page, world }) => {
  await signInHouse(page, world, 'zhao', '/desk/board?view=table')
  for (const panel of ['未完成工单', '新建与结束']) {
    const number = page.getByRole('region', { name: panel, exact: true }).locator('table a').last()
    const n = Number((await number.textContent())?.replace(/\D/g, ''))
    expect(n).toBeGreaterThan(0)
    await number.click()
    await expect(page.getByText(`共 ${n} 条`)).toBeVisible()
    await expect(page.locator('tbody tr')).toHaveCount(n)
    await page.getByRole('link', { name: '返回看板' }).click()
    await expect(page).toHaveURL(/view=table/)
  }
})
