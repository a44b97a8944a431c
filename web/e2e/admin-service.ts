import type { Page } from '@playwright/test'
import type { Screen } from './desk-screens'
import { expect } from './world'

/** Opens a page of the administration and waits until all of it is there. */
export async function toAdmin(page: Page, path: string, shows = 'main h1'): Promise<void> {
  await page.goto(`/desk/admin${path}`)
  await expect(page.locator(shows).first()).toBeVisible()
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
}

export const screens: Screen[] = [
  { name: 'home', go: (page) => toAdmin(page, '') },
  { name: 'missing', go: (page) => toAdmin(page, '/nothing', 'main .empty') },
  { name: 'agreements', go: (page) => toAdmin(page, '/agreements', 'main table') },
]
