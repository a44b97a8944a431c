// The main screens by Tab alone: everything that can be used takes the focus,
// in the order one reads, seen, and without a trap. And with motion reduced
// nothing moves.
import type { Page } from '@playwright/test'
import { chosen, toTicket } from './desk-screens'
import { prepare } from './screens'
import { expect, signIn, signInHouse, test } from './world'

/** Goes through a page by Tab until the focus leaves it; what is wrong on the way. */
async function tabbed(page: Page, where: string): Promise<string[]> {
  const wrong: string[] = []
  const expected = await page.evaluate(() => {
    const free = (e: HTMLElement) => e.checkVisibility({ visibilityProperty: true }) && e.tabIndex >= 0 && !(e as HTMLButtonElement).disabled && e.closest('[inert]') === null && e.getClientRects().length > 0
    const all = [...document.querySelectorAll<HTMLElement>('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]')].filter(free)
    // Of radio buttons of one name one takes part.
    const groups = new Set<string>()
    return all.filter((e) => {
      if (!(e instanceof HTMLInputElement) || e.type !== 'radio') return true
      if (groups.has(e.name)) return false
      groups.add(e.name)
      return true
    }).length
  })
  // From the first thing on, wherever the page put the focus.
  await page.keyboard.press('Shift')
  await page.evaluate(() => {
    scrollTo(0, 0)
    ;[...document.querySelectorAll<HTMLElement>('a[href], button, input, select, textarea, summary')].find((e) => e.checkVisibility({ visibilityProperty: true }))?.focus()
  })
  const seen = new Set<string>()
  let backwards = 0
  let last: { x: number; y: number; part: string } | undefined
  let held = ''
  for (let i = 0; i < expected + 60; i++) {
    if (i > 0) await page.keyboard.press('Tab')
    const at = await page.evaluate(() => {
      const e = document.activeElement as HTMLElement | null
      if (e === null || e === document.body || e === document.documentElement) return undefined
      const w = window as unknown as { tabIds?: Map<Element, number> }
      w.tabIds ??= new Map()
      if (!w.tabIds.has(e)) w.tabIds.set(e, w.tabIds.size)
      const r = e.getBoundingClientRect()
      const s = getComputedStyle(e)
      // The ring may be drawn by the control or by what stands for it.
      const ring = (x: Element | null) => x !== null && ((s2) => s2.outlineStyle !== 'none' && parseFloat(s2.outlineWidth) >= 1)(getComputedStyle(x))
      let scrolled = scrollY
      for (let p = e.parentElement; p !== null && p !== document.body; p = p.parentElement) scrolled += p.scrollTop
      const part = e.closest('dialog, header, nav, aside, main, footer')
      return {
        id: String(w.tabIds.get(e)),
        name: `${e.tagName.toLowerCase()} "${(e.getAttribute('aria-label') ?? e.textContent ?? '').trim().replace(/\s+/g, ' ').slice(0, 30)}"`,
        named: (e.getAttribute('aria-label') ?? e.textContent ?? '').trim() !== '' || e.hasAttribute('aria-labelledby') || e.hasAttribute('title') || ((e as HTMLInputElement).labels?.length ?? 0) > 0,
        ring: ring(e) || ring(e.parentElement) || ring(e.closest('label')) || (s.borderTopColor !== 'rgba(0, 0, 0, 0)' && ['INPUT', 'TEXTAREA', 'SELECT'].includes(e.tagName) && s.boxShadow !== 'none'),
        inView: r.bottom > 0 && r.top < innerHeight && r.right > 0 && r.left < innerWidth && r.width > 0 && r.height > 0,
        x: r.left,
        y: r.top + scrolled,
        part: part === null ? '' : `${part.tagName}${part.className}`,
      }
    })
    if (at === undefined) break // out of the page
    if (at.id === held) continue // a date has parts of its own
    held = at.id
    if (seen.has(at.id)) {
      if (seen.size < expected) wrong.push(`${where}: the focus is caught at ${at.name} after ${seen.size} of ${expected}`)
      break
    }
    seen.add(at.id)
    if (!at.ring) wrong.push(`${where}: no ring around ${at.name}`)
    if (!at.inView) wrong.push(`${where}: not in view: ${at.name}`)
    if (!at.named) wrong.push(`${where}: without a name: ${at.name}`)
    // Up again within a part, without going to another column: against the reading.
    if (last !== undefined && last.part === at.part && at.y < last.y - 60 && at.x < last.x + 40) backwards++
    last = at
  }
  if (seen.size < expected) wrong.push(`${where}: Tab reaches ${seen.size} of ${expected}`)
  if (backwards > 1) wrong.push(`${where}: the order jumps back ${backwards} times`)
  return wrong
}

async function at(page: Page, path: string): Promise<void> {
  await page.goto(path)
  await expect(page.getByRole('heading', { level: 1 }).first()).toBeAttached()
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
}

test('by Tab alone: the console', async ({ page, world }) => {
  test.setTimeout(240_000)
  const made = await prepare(world)
  await signIn(page, world, 'yunfan')
  const wrong: string[] = []
  for (const path of ['/console', '/console/tickets', `/console/tickets/${made.ticket}`, '/console/new', '/console/labels', '/console/auths', `/console/auths/${made.auth}`, '/console/access', '/console/audit', '/console/agreements', '/console/articles', '/console/figures', '/console/me']) {
    await at(page, path)
    wrong.push(...(await tabbed(page, path)))
  }
  expect(wrong).toEqual([])
})

test('by Tab alone: the desk and the administration', async ({ page, world }) => {
  test.setTimeout(300_000)
  await signInHouse(page, world, world.admin.name)
  const wrong: string[] = []
  for (const path of ['/desk/q/open', '/desk/search?q=cpu', '/desk/approvals', '/desk/shift', '/desk/knowledge', '/desk/board', '/desk/account', '/desk/admin', '/desk/admin/catalog', '/desk/admin/sla', '/desk/admin/limits', '/desk/admin/rules/new', '/desk/admin/accounts', '/desk/admin/roles', '/desk/admin/providers/~new', '/desk/admin/deliveries', '/desk/admin/audit', '/desk/admin/privacy/retention', '/desk/admin/system']) {
    await at(page, path)
    wrong.push(...(await tabbed(page, path)))
  }
  await page.context().clearCookies()
  await signInHouse(page, world, 'chen')
  await toTicket(page)
  wrong.push(...(await tabbed(page, 'ticket')))
  expect(wrong).toEqual([])
})

test('by Tab alone: the sign-in and the documentation', async ({ page }) => {
  test.setTimeout(180_000)
  const wrong: string[] = []
  for (const path of ['/login', '/docs', '/docs/guide/user-guide', '/docs/api/v2/ListCases', '/docs/search?q=token']) {
    await at(page, path)
    wrong.push(...(await tabbed(page, path)))
  }
  expect(wrong).toEqual([])
})

test('with motion reduced nothing moves', async ({ page, world, context }) => {
  test.setTimeout(180_000)
  await page.emulateMedia({ reducedMotion: 'reduce' })
  // Whatever begins to move from now on is noted.
  await context.addInitScript(() => {
    const w = window as unknown as { moved: string[] }
    w.moved = []
    const note = (e: Event) => w.moved.push(`${e.type} ${(e.target as Element).tagName} ${(e.target as Element).className}`)
    for (const kind of ['animationstart', 'transitionrun']) document.addEventListener(kind, note, true)
  })
  const still = async (where: string) => {
    const moving = await page.evaluate(() => [...(window as unknown as { moved: string[] }).moved, ...document.getAnimations().map((a) => `runs: ${String((a.effect as KeyframeEffect | null)?.target?.className)}`)])
    expect(moving, where).toEqual([])
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior), where).toBe('auto')
  }
  const made = await prepare(world)
  await signIn(page, world, 'yunfan')
  for (const path of ['/console', `/console/tickets/${made.ticket}`, '/console/new', '/console/figures']) {
    await at(page, path)
    await page.mouse.move(200, 30)
    await page.locator('header .menu button').first().click()
    await page.keyboard.press('Escape')
    await page.keyboard.press('?')
    await expect(page.getByRole('dialog')).toBeVisible()
    await page.keyboard.press('Escape')
    await still(path)
  }
  await page.context().clearCookies()
  await signInHouse(page, world, 'chen')
  await chosen(page, 'zh-cn', 'dark')
  await toTicket(page)
  for (const key of ['/', 't', 's', 'Control+k', '?']) {
    await page.locator('main h1').click()
    await page.keyboard.press(key)
    await expect(page.locator('dialog[open]')).toBeVisible()
    await page.keyboard.press('Escape')
  }
  await still('ticket')
  await at(page, '/desk/board')
  await still('board')
})
