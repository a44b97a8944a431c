// The console's bar on phones: one row, everything in it by the keyboard.
import { axeClean } from './axe'
import { expect, signIn, test } from './world'

test('on a phone the bar is one row, with a search and a menu that the keyboard reaches', async ({ page, world }) => {
  await signIn(page, world, 'yunfan')
  for (const width of [320, 360, 390]) {
    await page.setViewportSize({ width, height: 780 })
    const bar = await page.locator('header.bar').boundingBox()
    expect(bar?.height, `${width}`).toBeLessThanOrEqual(56)
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${width}: scrolls sideways`).toBeLessThanOrEqual(0)
  }
  const menu = page.getByRole('button', { name: '菜单' })
  await menu.focus()
  await page.keyboard.press('Enter')
  await axeClean(page, 'the menu')
  await page.keyboard.press('Escape')
  await expect(menu).toBeFocused()
  await page.keyboard.press('Enter')
  await page.getByRole('link', { name: '授权', exact: true }).focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 1, name: '授权' })).toBeVisible()
  await expect(page.getByRole('link', { name: '授权', exact: true })).toBeHidden()

  const finder = page.getByRole('button', { name: '查找工单' }).first()
  await finder.focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('searchbox', { name: '查找工单' })).toBeFocused()
  await axeClean(page, 'the search')
  await page.keyboard.press('Escape')
  await expect(finder).toBeFocused()
  await page.keyboard.press('Enter')
  await page.keyboard.type('发票')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/console\/tickets\?q=/)
  await expect(page.locator('.tickets li').first()).toContainText('发票')
})

test('the main account chooses between the whole account and its own tickets', async ({ page, world }) => {
  await signIn(page, world, 'yunfan')
  await page.goto('/console/tickets')
  await expect(page.getByRole('heading', { level: 1, name: '账号的全部工单' })).toBeVisible()
  const all = Number(await page.locator('.tabs a').first().locator('.num').textContent())
  await page.getByLabel('查看谁的工单').selectOption({ label: '我的工单' })
  await expect(page.getByRole('heading', { level: 1, name: '我的工单' })).toBeVisible()
  await expect.poll(async () => Number(await page.locator('.tabs a').first().locator('.num').textContent())).toBeLessThan(all)
})
