// An administrator's path: an account, its user, a key that works, the audit,
// and the end of the key.
import { toAdmin } from './admin-service'
import { signed } from './api'
import { expect, signInHouse, test } from './world'

/** A list of tickets, asked for with a key. */
const list = (base: string, ak: string, sk: string) => signed(base, 'GET', '/v2/servicerequest/cases', { ak, sk })

test('an account, a user, a key that works, the audit, the end of the key', async ({ page, world }) => {
  await signInHouse(page, world, world.admin.name, '')
  await toAdmin(page, '/accounts')
  await page.getByRole('link', { name: '新建账号' }).first().click()
  await page.getByLabel('账号名').fill('Nordwind')
  await page.getByLabel('支持计划').selectOption('Business')
  await page.getByRole('button', { name: '创建，下一步建用户' }).click()

  // Its first user is its main account; the password is shown once.
  await expect(page.locator('main h1')).toHaveText('新建用户')
  await expect(page.getByLabel('作为主账号')).toBeChecked()
  await page.getByLabel('用户名').fill('nora')
  await page.getByRole('button', { name: '创建', exact: true }).click()
  const once = page.locator('.once')
  await expect(once).toContainText('nora')
  await expect(once.locator('code').last()).toHaveText(/^.{20}$/)
  await once.getByRole('button', { name: '已保存，关闭' }).click()
  await expect(page.locator('main h1')).toHaveText('nora')

  // A key, shown once, signs.
  await page.getByRole('button', { name: '创建访问密钥' }).click()
  await expect(once.locator('dt')).toHaveText(['AK', 'SK'])
  const [ak = '', sk = ''] = await once.locator('code').allTextContents()
  await once.getByRole('button', { name: '已保存，关闭' }).click()
  await expect(once).toHaveCount(0)
  await expect(page.locator('main')).not.toContainText(sk)
  const answer = await list(world.base, ak, sk)
  expect(answer.status, await answer.text()).toBe(200)

  // The audit tells of it; the list tells of its use.
  await toAdmin(page, '/audit?kind=key.create', 'main table')
  const row = page.locator('main tbody tr').first()
  await expect(row).toContainText('创建访问密钥')
  await expect(row).toContainText('Nordwind')
  await expect(row).toContainText(world.admin.name)
  await page.getByRole('button', { name: '再次核对' }).click()
  await expect(page.locator('main .st', { hasText: '链条完整' })).toBeVisible()
  const saved = page.waitForEvent('download')
  await page.getByRole('button', { name: '导出 CSV' }).click()
  expect((await saved).suggestedFilename()).toMatch(/^audit-.*\.csv$/)

  await toAdmin(page, '/keys', 'main table')
  await page.getByLabel('账号', { exact: true }).selectOption('Nordwind')
  const key = page.locator('main tbody tr', { hasText: ak })
  await expect(key).toContainText('今天')

  // Off, on, gone.
  await key.getByRole('button', { name: `停用 ${ak}` }).click()
  await expect(key).toContainText('停用')
  await expect(async () => expect((await list(world.base, ak, sk)).status).toBe(401)).toPass()
  await key.getByRole('button', { name: `启用 ${ak}` }).click()
  await expect(key.locator('.st')).toHaveText('启用')
  expect((await list(world.base, ak, sk)).status).toBe(200)
  await key.getByRole('button', { name: `删除 ${ak}` }).click()
  const sure = page.locator('dialog[open]')
  await expect(sure).toContainText(ak)
  await sure.getByRole('button', { name: '删除访问密钥' }).click()
  await expect(page.locator('main .empty')).toBeVisible()
  expect((await list(world.base, ak, sk)).status).toBe(401)
})

test('roles are granted and revoked at once, and the last administrator stays', async ({ page, world, faults }) => {
  faults.allow.push(/status of 40[0-9]/) // the refusal is what is looked for
  await signInHouse(page, world, world.admin.name, '')
  await toAdmin(page, '/roles', 'main table')
  const box = page.getByRole('checkbox', { name: 'zhao: 审计员' })
  await box.check()
  await expect(page.locator('.toast', { hasText: 'zhao：已授予审计员' })).toBeVisible()
  await page.reload()
  await expect(box).toBeChecked()
  await box.uncheck()
  await expect(page.locator('.toast', { hasText: 'zhao：已收回审计员' })).toBeVisible()
  const own = page.getByRole('checkbox', { name: `${world.admin.name}: 管理员` })
  await own.click()
  await expect(page.locator('.toast.wrong')).toBeVisible()
  await expect(own).toBeChecked()
})

test('a backup is made on the server and listed', async ({ page, world }) => {
  await signInHouse(page, world, world.admin.name)
  await toAdmin(page, '/system', 'main .nums')
  const card = page.locator('#backups')
  await expect(card).toContainText('还没有从这里做过备份')
  await card.getByRole('button', { name: '立即备份' }).click()
  const made = card.locator('li', { hasText: /casemate-\d{8}T\d{6}Z\.tar/ })
  await expect(made).toContainText('已完成', { timeout: 15_000 })
  await expect(card.getByRole('button', { name: '立即备份' })).toHaveAttribute('aria-disabled', 'false')
  await expect(card.getByRole('link')).toHaveCount(0)
})

test('a calling code is found by its country and by pinyin, and a slip is told at its field', async ({ page, world, faults }) => {
  faults.allow.push(/console: Failed to load resource.*400/)
  await signInHouse(page, world, world.admin.name, '')
  await toAdmin(page, '/engineers/new', 'main form input')
  const code = page.getByRole('combobox', { name: '国家码' })
  const options = page.getByRole('listbox', { name: '国家码' }).getByRole('option')
  const says = page.locator('main form [role=status]', { hasText: /./ })
  await expect(code).toHaveValue('86')
  await expect(says).toHaveText('中国')
  for (const [words, first] of [['deguo', '+49德国 Germany'], ['dg', '+49德国 Germany'], ['法国', '+33法国 France'], ['brazil', '+55巴西 Brazil'], ['JP', '+81日本 Japan']] as const) {
    await code.fill(words)
    await expect(options.first()).toHaveText(first)
  }
  await code.press('Enter')
  await expect(code).toHaveValue('81')
  await expect(says).toHaveText('日本')
  await expect(options).toHaveCount(0)
  await code.fill('1')
  await code.press('Tab')
  await expect(says).toHaveText(/^美国、.+、.+等 \d+ 个国家或地区$/)
  await code.fill('加拿大')
  await options.first().click()
  await expect(code).toHaveValue('1')
  await expect(says).toHaveText('加拿大')

  // What the catalogue does not have is told before it is sent, and by the server at its field.
  await code.fill('999')
  await code.press('Tab')
  await expect(says).toHaveText('目录中没有国家码 999')
  await page.getByLabel('用户名').fill('ines')
  await page.getByLabel('手机号').fill('13800138000')
  await page.getByRole('button', { name: '创建', exact: true }).click()
  await expect(code).toHaveAttribute('aria-invalid', 'true')
  await expect(page.locator('main form .err')).toHaveText('国家码“999”不存在，请写数字，例如中国为 86')
  await code.fill('86')
  await page.getByLabel('手机号').fill('12')
  await page.getByRole('button', { name: '创建', exact: true }).click()
  await expect(page.getByLabel('手机号')).toHaveAttribute('aria-invalid', 'true')
  await expect(page.locator('main form .err')).toHaveText('手机号码无效')
})
