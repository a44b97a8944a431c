// Every screen in both languages and both schemes, wide and narrow: axe clean,
// no scrolling sideways. Two combinations here, all of them in the long set.
import { axeClean } from './axe'
import { prepare, screens } from './screens'
import { expect, signIn, test } from './world'

export const combinations = [
  { language: 'zh-cn', theme: 'light', width: 1440 },
  { language: 'en-us', theme: 'dark', width: 390 },
] as const

test('all screens are clean for axe and fit their width', async ({ page, world }) => {
  test.setTimeout(180_000)
  const made = await prepare(world)
  await signIn(page, world, 'yunfan')
  for (const c of combinations) {
    await page.setViewportSize({ width: c.width, height: 900 })
    await page.evaluate(([l, t]) => {
      localStorage.setItem('casemate.language', l ?? '')
      localStorage.setItem('casemate.prefs', JSON.stringify({ theme: t, zone: 'Asia/Shanghai', keys: true }))
    }, [c.language, c.theme])
    for (const s of screens(made)) {
      await page.goto(s.path)
      await expect(page.getByRole('heading', { level: 1 }).first()).toBeVisible()
      await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
      const where = `${s.name} ${c.language} ${c.theme} ${c.width}`
      await axeClean(page, where)
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${where}: scrolls sideways`).toBeLessThanOrEqual(0)
    }
  }
})
