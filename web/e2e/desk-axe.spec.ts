// Every screen of the desk, each language in one scheme and one width; the
// others are in the long set.
import { axeClean } from './axe'
import { chosen, screens } from './desk-screens'
import { signInHouse, test } from './world'

const all = (['zh-cn', 'en-us'] as const).flatMap((language) => (['light', 'dark'] as const).flatMap((theme) => [390, 1440].map((width) => ({ language, theme, width }))))
export const short = (c: { language: string; theme: string; width: number }) => (c.language === 'zh-cn' && c.theme === 'light' && c.width === 1440) || (c.language === 'en-us' && c.theme === 'dark' && c.width === 390)

for (const c of all.filter((c) => short(c) || process.env.AXE_ALL === '1'))
  test(`desk: axe finds nothing, ${c.language} ${c.theme} ${c.width}`, async ({ page, world, faults }) => {
    test.setTimeout(180_000)
    faults.allow.push(/status of 40[04].*none-such/)
    await page.setViewportSize({ width: c.width, height: c.width === 390 ? 844 : 900 })
    await signInHouse(page, world, 'chen')
    await chosen(page, c.language, c.theme)
    for (const s of screens) {
      await s.go(page)
      await axeClean(page, `${s.name} ${c.language} ${c.theme} ${c.width}`)
    }
  })
