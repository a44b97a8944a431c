// Each place of the desk while the API answers 500: what is wrong is said, with a
// way on, nothing else breaks, and axe finds nothing; dialogs that cannot load too.
import { axeClean } from './axe'
import { chosen, toTicket } from './desk-screens'
import { expect, signInHouse, test } from './world'

const broken = { status: 500, json: { error_code: 'OSM.0001', error_msg: 'the server is ill' }, headers: { 'X-Request-Id': 'e0e0e0' } }

for (const [language, theme, width] of [
  ['zh-cn', 'light', 1440],
  ['en-us', 'dark', 390],
] as const)
  test(`places whose API fails, ${language} ${theme} ${width}`, async ({ page, world, faults }) => {
    test.setTimeout(240_000)
    faults.allow.push(/status of 500/)
    await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
    await signInHouse(page, world, 'chen')
    await chosen(page, language, theme)
    await toTicket(page)
    const number = /\/t\/([^/?]+)/.exec(page.url())?.[1] ?? ''
    const at = encodeURIComponent(new Date().toISOString())
    for (const path of ['/desk/q/mine', `/desk/t/${number}`, `/desk/t/${number}/history?at=${at}`, '/desk/approvals', '/desk/search?q=cpu', '/desk/shift', '/desk/account']) {
      await page.route(/\/desk\/v1\/|\/web\/v1\/(sessions|second-factor)/, (r) => r.fulfill(broken))
      await page.goto(path)
      await expect(page.locator('.failed').filter({ visible: true }).first()).toBeVisible({ timeout: 20_000 })
      await expect(page.locator('[aria-busy=true]')).toHaveCount(0, { timeout: 20_000 })
      await axeClean(page, `${path} while the API fails, ${language} ${theme} ${width}`)
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${path} is too wide`).toBeLessThanOrEqual(0)
      await page.unrouteAll({ behavior: 'ignoreErrors' })
    }
    // A layer whose data does not come, and one whose step is refused.
    await toTicket(page)
    for (const [key, what] of [
      ['t', /\/desk\/v1\/engineers$/],
      ['m', /\/desk\/v1\/tickets\?/],
      ['/', /\/desk\/v1\/macros$/],
      [';', /\/desk\/v1\/snippets$/],
    ] as const) {
      await page.route(what, (r) => r.fulfill(broken))
      await page.reload()
      await expect(page.locator('main .msg').first()).toBeVisible()
      await page.locator('main h1').click()
      await page.keyboard.press(key)
      await expect(page.locator('dialog[open] .failed')).toBeVisible({ timeout: 20_000 })
      await axeClean(page, `the layer of ${key} while its data fails`)
      await page.keyboard.press('Escape')
      await page.unrouteAll({ behavior: 'ignoreErrors' })
    }
    await page.locator('main h1').click()
    await page.keyboard.press('q')
    await page.route(/authorizations$/, (r) => (r.request().method() === 'POST' ? r.fulfill(broken) : r.continue()))
    await page.locator('dialog[open] textarea').fill('a reason that must not be lost')
    await page.locator('dialog[open] button[type=submit]').click()
    await expect(page.locator('dialog[open] [role=alert]')).toBeVisible()
    await axeClean(page, 'asking for access is refused')
    await page.keyboard.press('Escape')
    await page.keyboard.press('q')
    await expect(page.locator('dialog[open] textarea')).toHaveValue('a reason that must not be lost')
  })
