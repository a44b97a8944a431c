// The smaller screens, driven once.
import { readFileSync } from 'node:fs'
import { axeClean } from './axe'
import { prepare } from './screens'
import { expect, signIn, test } from './world'

test('labels, authorization, agreements, permissions, language', async ({ page, world, faults }) => {
  test.setTimeout(120_000)
  faults.allow.push(/console: Failed to load resource.*40[09]/)
  const made = await prepare(world)
  await signIn(page, world, 'yunfan', 0, '/console/labels')
  await page.getByLabel('新建标签').fill('待跟进')
  await page.getByRole('button', { name: '添加', exact: true }).click()
  await expect(page.locator('li .tag', { hasText: '待跟进' })).toBeVisible()
  // A second one of the name is refused beside its field, and nothing says that it was saved.
  await page.getByLabel('新建标签').fill('待跟进')
  await page.getByRole('button', { name: '添加', exact: true }).click()
  await expect(page.locator('.new .err')).toHaveText('已有同名标签，请换一个名称。')
  await expect(page.getByLabel('新建标签')).toHaveAttribute('aria-invalid', 'true')
  await expect(page.locator('.toast')).toHaveCount(0)
  await axeClean(page, 'a label refused')
  await page.getByLabel('新建标签').fill('')
  await expect(page.locator('.new .err')).toHaveCount(0)
  await page.getByRole('button', { name: '修改标签 待跟进' }).click()
  await page.getByLabel('名称').fill('已跟进')
  await page.getByRole('button', { name: '保存' }).click()
  await page.getByRole('button', { name: '删除标签 已跟进' }).click()
  await page.getByRole('button', { name: '删除', exact: true }).click()
  await expect(page.locator('li .tag', { hasText: '已跟进' })).toHaveCount(0)

  await page.locator('.new .color').fill('#fefefe')
  await expect(page.locator('.warned')).toContainText('浅色')
  await page.locator('.new .color').fill('#b3261e')
  await expect(page.locator('.warned')).toHaveCount(0)

  await page.goto(`/console/tickets/${made.ticket}`)
  await page.getByRole('button', { name: '修改标签' }).click()
  await page.getByRole('dialog').getByLabel('生产').check()
  await page.keyboard.press('Escape')
  await expect(page.locator('aside section .tag', { hasText: '生产' })).toBeVisible()

  await page.goto('/console/labels')
  await expect(page.locator('li', { hasText: '生产' }).getByRole('link')).toHaveText(/^[1-9]\d* 张工单$/)

  await page.goto(`/console/auths/${made.auth}`)
  await page.getByRole('textbox', { name: '账号' }).fill('ops')
  await page.getByLabel('密码', { exact: true }).fill('not-a-real-secret')
  await page.getByLabel('我已阅读并同意').check()
  await page.getByRole('button', { name: '同意授权' }).click()
  await expect(page.getByText('已授权').first()).toBeVisible()
  await page.getByRole('button', { name: '收回授权' }).click()
  await expect(page.locator('main').getByText('已取消')).toBeVisible()

  await page.goto('/console/agreements')
  await page.getByRole('button', { name: '同意并签署' }).first().click()
  await expect(page.getByText('您已签署当前版本').first()).toBeVisible()

  await page.goto('/console/access')
  await page.getByRole('button', { name: /子用户可以导出工单: 开启/ }).click()
  await expect(page.getByText('已开启：所有子用户都可以导出')).toBeVisible()

  // Who could no longer submit is named before the switch is turned.
  await page.getByRole('button', { name: /提交工单需要授权: 开启/ }).click()
  await expect(page.locator('.sure')).toContainText(/开启后仍可提交：\s*yunfan/)
  await axeClean(page, 'who may submit')
  await page.locator('.sure').getByRole('button', { name: '取消' }).click()

  // All of that was recorded.
  await page.getByRole('button', { name: /账号 yunfan/ }).click()
  await page.getByRole('link', { name: '审计' }).click()
  await page.getByRole('combobox', { name: '操作', exact: true }).selectOption({ label: '标签' })
  await expect(page).toHaveURL(/what=label/)
  const first = page.locator('.list li').first()
  await expect(first).toContainText('添加标签')
  await expect(first.getByRole('link')).toHaveText(made.ticket)
  await first.getByRole('button', { name: '详细：添加标签' }).click()
  await expect(first).toContainText('createCaseLabels')
  const saved = page.waitForEvent('download')
  await page.getByRole('button', { name: '下载 CSV' }).click()
  expect(readFileSync(await (await saved).path(), 'utf8')).toMatch(/"删除标签（不在任何工单上）","deleteLabel","yunfan"/)
  await page.getByLabel('操作人').selectOption({ label: 'wangwei' })
  await expect(page.locator('.list .who').first()).toHaveText('wangwei')
  await expect(page.locator('.list .who', { hasText: 'yunfan' })).toHaveCount(0)
  await page.getByRole('link', { name: '清除条件' }).click()
  await page.getByLabel('工单编号').fill(made.ticket)
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/ticket=TS/)
  await expect(page.locator('.list li').last()).toContainText('创建工单')

  await page.goto('/console/me')
  await page.getByLabel('语言').selectOption('en-us')
  await expect(page.getByRole('heading', { level: 1, name: 'My profile' })).toBeVisible()
  await expect(page.locator('html')).toHaveAttribute('lang', 'en')
})
