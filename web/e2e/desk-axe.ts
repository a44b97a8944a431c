// axe over every screen of the desk in one language, scheme and width.
import { axeClean } from './axe'
import { chosen, screens } from './desk-screens'
import { expect, signInHouse, test } from './world'

export interface Combination {
  language: 'zh-cn' | 'en-us'
  theme: 'light' | 'dark'
  width: 390 | 1440
}
const all = (['zh-cn', 'en-us'] as const).flatMap((language) => (['light', 'dark'] as const).flatMap((theme) => ([390, 1440] as const).map((width): Combination => ({ language, theme, width }))))
/** Looked at with every build, all eight in the long set. */
export const few = (c: Combination) => (c.language === 'zh-cn' && c.theme === 'light' && c.width === 1440) || (c.language === 'en-us' && c.theme === 'dark' && c.width === 390)

/** half: each screen in one of the combinations, in turns. */
export function clean(which: (c: Combination) => boolean, half = false): void {
  for (const [turn, c] of all.filter(which).entries())
    test(`desk: axe finds nothing, ${c.language} ${c.theme} ${c.width}`, async ({ page, world, faults }) => {
      test.setTimeout(180_000)
      faults.allow.push(/status of 40[04].*none-such/)
      await page.setViewportSize({ width: c.width, height: c.width === 390 ? 844 : 900 })
      await signInHouse(page, world, 'chen')
      await chosen(page, c.language, c.theme)
      for (const s of screens.filter((s, i) => !half || (s.long !== true && i % 2 === turn))) {
        await s.go(page)
        await axeClean(page, `${s.name} ${c.language} ${c.theme} ${c.width}`)
        expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${s.name} is too wide`).toBeLessThanOrEqual(0)
        await s.after?.(page)
      }
    })
}
