// Pages of the documentation in a combination of language, scheme and width.
import type { Page } from '@playwright/test'
import { axeClean } from './axe'
import { expect } from './world'

export interface Look {
  language: string
  theme: string
  width: number
}

export async function dress(page: Page, c: Look): Promise<void> {
  await page.evaluate(([language, theme]) => {
    localStorage.setItem('casemate.language', language)
    localStorage.setItem('casemate.prefs', JSON.stringify({ theme }))
  }, [c.language, c.theme] as const)
  await page.setViewportSize({ width: c.width, height: 900 })
}

/** Opens each place in each combination, or in one of them in turns, and looks for violations and sideways scrolling. */
export async function walkDocs(page: Page, places: string[], looks: Look[], turns = false): Promise<void> {
  await page.goto('/docs')
  for (const [turn, c] of looks.entries()) {
    await dress(page, c)
    for (const place of places.filter((_, i) => !turns || i % looks.length === turn)) {
      await page.goto(place)
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
      await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
      const where = `${place} ${c.language} ${c.theme} ${String(c.width)}`
      await axeClean(page, where)
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${where}: scrolls sideways`).toBeLessThanOrEqual(0)
    }
  }
}
