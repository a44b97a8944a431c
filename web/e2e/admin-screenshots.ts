// Every screen of the administration in both languages and schemes, wide and
// narrow. ONLY names the beginnings of those to take, with commas between them.
import { screens } from './admin-screens'
import { chosen } from './desk-screens'
import { signInHouse, test } from './world'

const only = (process.env.ONLY ?? '').split(',').filter(Boolean)

for (const language of ['zh-cn', 'en-us'] as const)
  for (const theme of ['light', 'dark'] as const)
    for (const width of [390, 1440])
      test(`administration ${language} ${theme} ${width}`, async ({ page, world, faults }) => {
        test.setTimeout(240_000)
        faults.allow.push(/status of 40[04].*none-such/)
        await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
        await signInHouse(page, world, world.admin.name)
        await chosen(page, language, theme)
        for (const s of screens.filter((s) => only.length === 0 || only.some((o) => s.name.startsWith(o)))) {
          await s.go(page)
          await page.waitForTimeout(250)
          await page.screenshot({ path: `screenshots/admin-${s.name}-${language}-${theme}-${width}.png` })
        }
      })
