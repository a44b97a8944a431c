// axe over every screen of the administration in one language, scheme and width.
import { screens } from './admin-screens'
import { axeClean } from './axe'
import type { Combination } from './desk-axe'
import { chosen } from './desk-screens'
import { expect, signInHouse, test } from './world'

const all = (['zh-cn', 'en-us'] as const).flatMap((language) => (['light', 'dark'] as const).flatMap((theme) => ([390, 1440] as const).map((width): Combination => ({ language, theme, width }))))

/** half: each screen in one of the combinations, in turns. */
export function clean(which: (c: Combination) => boolean, half = false): void {
  for (const [turn, c] of all.filter(which).entries())
    test(`administration: axe finds nothing, ${c.language} ${c.theme} ${c.width}`, async ({ page, world, faults }) => {
      test.setTimeout(half ? 180_000 : 480_000) // all of them, on a machine that does other things as well
      faults.allow.push(/status of 40[04].*none-such/)
      await page.setViewportSize({ width: c.width, height: c.width === 390 ? 844 : 900 })
      await signInHouse(page, world, world.admin.name)
      await chosen(page, c.language, c.theme)
      const wrong: string[] = [] // of all screens at once
      for (const s of screens.filter((s, i) => !half || (i % 2 === turn && s.long !== true))) {
        await s.go(page)
        await axeClean(page, s.name).catch((e: unknown) => wrong.push(e instanceof Error ? e.message : String(e)))
        expect.soft(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${s.name} is too wide`).toBeLessThanOrEqual(0)
      }
      expect(wrong).toEqual([])
    })
}
