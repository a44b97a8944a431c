// One's own account, on both sides: the second factor and the browsers.
import type { Page } from '@playwright/test'
import { axeClean } from './axe'
import { chosen } from './desk-screens'
import { expect, signIn, test, throughPage, throughPageHouse, totp } from './world'

/** Turns the factor on, renews the codes and turns it off again, by the buttons. */
async function throughFactor(page: Page, where: string): Promise<void> {
  const card = page.locator('section', { has: page.getByRole('heading', { level: 2, name: '两步验证' }) })
  await expect(card).toContainText('未启用')
  await axeClean(page, `${where}: off`)
  await card.getByRole('button', { name: '启用', exact: true }).click()
  await expect(card.getByRole('img', { name: '身份验证器二维码' })).toBeVisible()
  await expect(card.getByLabel('验证码')).toBeFocused()
  await axeClean(page, `${where}: setting up`)
  const secret = (await card.locator('.key .num').textContent()) ?? ''
  await page.keyboard.press('Enter')
  await expect(card.locator('.err')).toContainText('请输入验证码')
  await card.getByLabel('验证码').fill('000000')
  await page.keyboard.press('Enter')
  await expect(card.locator('.err')).toContainText('验证码不正确或已使用')
  await card.getByLabel('验证码').fill(totp(secret, Date.now()))
  await page.keyboard.press('Enter')
  await expect(card.locator('.codes li')).toHaveCount(10)
  await axeClean(page, `${where}: codes`)
  const first = await card.locator('.codes li').first().textContent()
  await card.getByRole('button', { name: '我已保存' }).click()
  await expect(card).toContainText('还有 10 个恢复码')
  await expect(card.locator('.codes')).toHaveCount(0)
  await expect(card.getByRole('heading', { level: 2 })).toBeFocused()
  await axeClean(page, `${where}: on`)

  await card.getByRole('button', { name: '生成新恢复码' }).click()
  await expect(card).toContainText('原有的恢复码将失效')
  await card.getByLabel('验证码').fill(totp(secret, Date.now() + 30_000)) // each code counts once
  await page.keyboard.press('Enter')
  await expect(card.locator('.codes li')).toHaveCount(10)
  const code = (await card.locator('.codes li').first().textContent()) ?? ''
  expect(code).not.toBe(first)
  await card.getByRole('button', { name: '我已保存' }).click()

  await card.getByRole('button', { name: '停用' }).click()
  await expect(card).toContainText('只用密码即可登录')
  await axeClean(page, `${where}: turning off`)
  await card.getByLabel('验证码').fill(first ?? '') // one of the old codes
  await card.getByRole('button', { name: '停用' }).click()
  await expect(card.locator('.err')).toContainText('验证码不正确或已使用')
  await card.getByLabel('验证码').fill(code)
  await card.getByRole('button', { name: '停用' }).click()
  await expect(card).toContainText('未启用')
}

test('a customer turns a second factor on, renews the codes, and turns it off', async ({ page, world, faults }) => {
  faults.allow.push(/console: Failed to load resource.*400/)
  await throughPage(page, world, 'alice', 1)
  await page.goto('/console/me')
  await throughFactor(page, 'console')
})

test('an engineer has an account page: the second factor, and the browsers', async ({ page, world, faults, browser }) => {
  faults.allow.push(/console: Failed to load resource.*40[01]/)
  const other = await (await browser.newContext({ baseURL: world.base, userAgent: 'Mozilla/5.0 (Windows NT 10.0) Firefox/144.0' })).newPage()
  await throughPageHouse(other, world, 'emma')
  await throughPageHouse(page, world, 'emma')
  await page.getByRole('button', { name: '账号 emma' }).click()
  await page.getByRole('link', { name: '账号', exact: true }).click()
  await expect(page.getByRole('heading', { level: 1, name: '账号', exact: true })).toBeVisible()
  await throughFactor(page, 'desk')
  await page.getByRole('button', { name: '退出此浏览器：Firefox 144 · Windows' }).click()
  await expect(page.getByRole('button', { name: '退出此浏览器：Firefox 144 · Windows' })).toHaveCount(0)
  await other.goto('/desk/account')
  await other.waitForURL(/\/login/)
  await other.context().close()

  await chosen(page, 'en-us', 'dark')
  await page.goto('/desk/account')
  await expect(page.getByRole('heading', { level: 2, name: 'Second factor' })).toBeVisible()
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
  await axeClean(page, 'desk account en dark')
})

test('a factor that can not be read says so, and one that must be there can not be given up', async ({ page, world, faults, context }) => {
  await signIn(page, world, 'alice', 1)
  await context.route('**/web/v1/second-factor', (r) => r.fulfill({ status: 403, json: { error_code: 'OSM.01010002', error_msg: 'no' } }))
  faults.allow.push(/console: Failed to load resource.*403/)
  await page.goto('/console/me')
  const card = page.locator('section', { has: page.getByRole('heading', { level: 2, name: '两步验证' }) })
  await expect(card.getByRole('button', { name: '重试' })).toBeVisible()
  await context.unroute('**/web/v1/second-factor')
  await context.route('**/web/v1/second-factor', (r) => r.fulfill({ json: { active: true, required: true, recovery_codes_left: 1, confirmed_at: '2026-01-01T00:00:00Z' } }))
  await card.getByRole('button', { name: '重试' }).click()
  await expect(card).toContainText('恢复码快用完了')
  await expect(card).toContainText('因此不能停用')
  await expect(card.getByRole('button', { name: '停用' })).toHaveCount(0)
  await axeClean(page, 'required')
})
