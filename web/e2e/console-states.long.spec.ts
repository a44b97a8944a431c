// The console's states: dialogs, answers that are 500, no network, 400 % zoom,
// and the customer's story by the keyboard alone.
import { axeClean } from './axe'
import { prepare, screens } from './screens'
import { expect, signIn, test } from './world'

test('every screen says what is wrong when the server answers 500, and fits 320 px', async ({ page, world, faults, context }) => {
  test.setTimeout(300_000)
  faults.allow.push(/console: Failed to load resource.*500/)
  const made = await prepare(world)
  await signIn(page, world, 'yunfan')
  await context.route(/\/(v2\/servicerequest|web\/v1\/(?!session$|events))/, (r) => r.fulfill({ status: 500, json: { error_code: 'OSM.0005', error_msg: 'x' }, headers: { 'X-Request-Id': 'abc123' } }))
  for (const width of [1440, 320]) {
    await page.setViewportSize({ width, height: 900 })
    for (const s of screens(made)) {
      await page.goto(s.path)
      await expect(page.getByRole('heading', { level: 1 }).or(page.getByRole('alert')).first()).toBeVisible()
      if (!['missing'].includes(s.name)) await expect(page.getByRole('alert').first(), s.name).toBeVisible({ timeout: 15_000 })
      await axeClean(page, `${s.name} 500 ${width}`)
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${s.name} ${width}: scrolls sideways`).toBeLessThanOrEqual(0)
    }
  }
})

test('dialogs and the offline banner are clean', async ({ page, world, context, faults }) => {
  test.setTimeout(180_000)
  faults.allow.push(/net::ERR_INTERNET_DISCONNECTED/)
  const made = await prepare(world)
  await signIn(page, world, 'yunfan')
  for (const [language, theme, width] of [['zh-cn', 'light', 1440], ['en-us', 'dark', 390]] as const) {
    await page.setViewportSize({ width, height: 900 })
    await page.evaluate(([l, t]) => {
      localStorage.setItem('casemate.language', l)
      localStorage.setItem('casemate.prefs', JSON.stringify({ theme: t, zone: 'Asia/Shanghai', keys: true }))
    }, [language, theme] as const)
    const en = language === 'en-us'
    const dialog = async (name: string) => {
      await expect(page.getByRole('dialog')).toBeVisible()
      await axeClean(page, `${name} ${language}`)
      await page.keyboard.press('Escape')
      await expect(page.getByRole('dialog')).toHaveCount(0)
    }
    await page.goto(`/console/tickets/${made.ticket}`)
    await page.getByRole('button', { name: en ? 'Change labels' : '修改标签' }).click()
    await dialog('labels')
    await page.getByRole('button', { name: en ? 'Add a related ticket' : '添加关联工单' }).click()
    await dialog('relations')
    await page.getByRole('button', { name: en ? 'Change the contact' : '修改联系方式' }).click()
    await dialog('contact')
    await page.locator('h1').click()
    await page.keyboard.press('?')
    await dialog('keys')
    await page.goto('/console/tickets?status=1')
    await page.getByRole('button', { name: en ? 'Save as a view' : '保存为视图' }).click()
    await dialog('view')
    await page.goto('/console/new')
    await page.locator('aside .agree .btn.link, aside p .btn.link').first().click()
    await dialog('agreement')
    await page.goto('/console')
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    await page.locator('header .menu button').first().click()
    await expect(page.locator('header .pop select').first()).toBeVisible()
    await axeClean(page, `menu ${language}`)
    await page.keyboard.press('Escape')
    await context.setOffline(true)
    await expect(page.locator('.offline')).toBeVisible()
    await axeClean(page, `offline ${language}`)
    await context.setOffline(false)
  }
})

test('the story by the keyboard alone: submit, find, reply, confirm, close', async ({ page, world }) => {
  test.setTimeout(120_000)
  await signIn(page, world, 'lihua')
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  await page.keyboard.press('n')
  await expect(page.getByRole('heading', { level: 1, name: '提交工单' })).toBeFocused()
  await page.keyboard.press('/')
  await page.keyboard.type('yuanchengdenglu')
  const problem = page.getByRole('button', { name: /远程登录/ }).first()
  await expect(problem).toBeVisible()
  const tabTo = async (target: import('@playwright/test').Locator, most = 60) => {
    for (let i = 0; i < most; i++) {
      if (await target.evaluate((e) => e === document.activeElement || (e as HTMLElement).contains(document.activeElement)).catch(() => false)) return
      await page.keyboard.press('Tab')
    }
    throw new Error(`not reached by Tab: ${target.toString()}`)
  }
  await tabTo(problem)
  await page.keyboard.press('Enter')
  await tabTo(page.locator('#region'))
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  await tabTo(page.locator('#text'))
  await page.keyboard.type('键盘提交：云服务器无法登录。')
  const phone = page.getByLabel(/^手机/)
  await tabTo(phone)
  await page.keyboard.type(world.domains[0]?.users.find((u) => u.name === 'lihua')?.mobile?.replace(/^\+86/, '') ?? '')
  await expect(page.getByText('无需核验').first()).toBeVisible()
  const agree = page.locator('#agree')
  if (await agree.isVisible()) {
    await tabTo(agree)
    await page.keyboard.press('Space')
  }
  await tabTo(page.locator('aside .btn.pri'))
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/console\/tickets\/TS/)
  const number = new URL(page.url()).pathname.split('/').at(-1) ?? ''
  const chen = await world.desk('chen')
  await chen.call('POST', `/desk/v1/tickets/${number}/steps`, { action: 'accept' })
  await page.keyboard.press('r')
  await page.keyboard.type('补充一句。')
  await page.keyboard.press('Control+Enter')
  await expect(page.locator('.msg').getByText('补充一句。')).toBeVisible()
  await page.keyboard.press('Escape')
  await chen.call('POST', `/desk/v1/tickets/${number}/steps`, { action: 'resolve', text: '好了，请确认。' })
  const solved = page.getByRole('button', { name: '已解决', exact: true })
  await expect(solved).toBeVisible()
  await page.locator('h1').evaluate((e) => (e as HTMLElement).focus())
  await tabTo(solved)
  await page.keyboard.press('Enter')
  const go = page.locator('.panel').getByRole('button', { name: '关闭工单' })
  await tabTo(go)
  await page.keyboard.press('Enter')
  await expect(page.locator('main').getByText('工单已完成，')).toBeVisible() // the guide speaks of one too
  await page.keyboard.press('u')
  await expect(page).toHaveURL(/\/console\/tickets$/)
})
