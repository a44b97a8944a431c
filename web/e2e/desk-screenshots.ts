// Every screen of the desk in both languages and schemes, wide and narrow.
import { chosen, screens } from './desk-screens'
import { signInHouse, test } from './world'

for (const language of ['zh-cn', 'en-us'] as const)
  for (const theme of ['light', 'dark'] as const)
    for (const width of [390, 1440])
      test(`desk ${language} ${theme} ${width}`, async ({ page, world, faults }) => {
        test.setTimeout(180_000)
        faults.allow.push(/status of 40[04].*none-such/)
        await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
        await signInHouse(page, world, 'chen')
        await chosen(page, language, theme)
        for (const s of screens) {
          await s.go(page)
          await page.waitForTimeout(250)
          await page.screenshot({ path: `screenshots/desk-${s.name}-${language}-${theme}-${width}.png` })
          await s.after?.(page)
        }
      })
