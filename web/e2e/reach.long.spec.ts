// Every screen at the least and the greatest width, and at 400 % zoom (1280 by
// 1024 becomes 320 by 256): nothing scrolls sideways but tables in their own
// region, nothing is cut off, and every control takes the focus in view.
import { screens as admin } from './admin-screens'
import { chosen, screens as desk } from './desk-screens'
import { unreachable } from './reach'
import { prepare, screens as consoleScreens } from './screens'
import { expect, signIn, signInHouse, test } from './world'
import type { Page } from '@playwright/test'

const only = (process.env.ONLY ?? '').split(',').filter(Boolean)
const wanted = (s: { name: string }) => only.length === 0 || only.some((o) => s.name.startsWith(o))
const sizes = [
  { name: '400 %', width: 320, height: 256, language: 'en-us' },
  { name: '360', width: 360, height: 740, language: 'en-us' },
  { name: '1920', width: 1920, height: 1080, language: 'zh-cn' },
] as const

async function look(page: Page, subjects: { name: string; go: (page: Page) => Promise<void>; after?: (page: Page) => Promise<void> }[], size: (typeof sizes)[number]): Promise<void> {
  const wrong: string[] = []
  for (const s of subjects) {
    // Layers are opened as one would on a page that is wide enough, then it is made small.
    await page.setViewportSize({ width: 1280, height: 1024 })
    try {
      await s.go(page)
      await page.setViewportSize(size)
      await page.waitForTimeout(150)
      await expect(page.locator('.toast')).toHaveCount(0, { timeout: 15_000 }) // what was said goes by itself, or by its button
      wrong.push(...(await unreachable(page)).map((w) => `${s.name}: ${w}`))
      if (process.env.STATE_SHOTS !== undefined) await page.screenshot({ path: `${process.env.STATE_SHOTS}/${size.width}-${s.name}.png` })
      await s.after?.(page)
    } catch (e) {
      wrong.push(`${s.name}: ${String(e).slice(0, 400)}`)
    }
  }
  if (process.env.STATE_SHOTS !== undefined) console.log(wrong.join('\n'))
  expect(wrong).toEqual([])
}

for (const size of sizes) {
  test(`the console at ${size.name}`, async ({ page, world }) => {
    test.setTimeout(600_000)
    const made = await prepare(world)
    const subjects = (list: { name: string; path: string }[]) =>
      list.filter(wanted).map((s) => ({ name: s.name, go: async (p: Page) => void (await p.goto(s.path), await expect(p.getByRole('heading', { level: 1 }).first()).toBeVisible(), await expect(p.locator('[aria-busy=true]')).toHaveCount(0)) }))
    await page.goto('/login')
    await chosen(page, size.language, 'light')
    await look(page, subjects([{ name: 'login', path: '/login' }]), size)
    await page.setViewportSize({ width: 1280, height: 800 })
    await signIn(page, world, 'yunfan')
    await look(page, subjects(consoleScreens(made)), size)
  })
  test(`the desk at ${size.name}`, async ({ page, world, faults }) => {
    test.setTimeout(900_000)
    faults.allow.push(/status of 40[04].*none-such/)
    await signInHouse(page, world, 'chen')
    await chosen(page, size.language, 'light')
    await look(page, desk.filter(wanted), size)
  })
  test(`the administration at ${size.name}`, async ({ page, world, faults }) => {
    test.setTimeout(900_000)
    faults.allow.push(/status of 40[04].*none-such/)
    await signInHouse(page, world, world.admin.name)
    await chosen(page, size.language, 'light')
    await look(page, admin.filter(wanted), size)
  })
  test(`the documentation at ${size.name}`, async ({ page }) => {
    test.setTimeout(300_000)
    await page.goto('/docs')
    await chosen(page, size.language, 'light')
    const places = ['/docs', '/docs/guide/user-guide', '/docs/guide/appendix', '/docs/guide/operate', '/docs/guide/roles', '/docs/api/v2', '/docs/api/v2/CreateCases', '/docs/search?q=OSM', '/docs/nowhere']
    await look(page, places.map((p) => ({ name: p, go: async (page: Page) => void (await page.goto(p), await expect(page.getByRole('heading', { level: 1 })).toBeVisible(), await expect(page.locator('[aria-busy=true]')).toHaveCount(0)) })).filter(wanted), size)
  })
}
