// What we offer, texts and automation, versions: the administration's first half.
import type { Page } from '@playwright/test'
import type { Screen } from './desk-screens'
import { expect } from './world'

/** Opens a page of the administration and waits until all of it is there. */
export async function toAdmin(page: Page, path: string, shows = 'main h1'): Promise<void> {
  await page.goto(`/desk/admin${path}`)
  await expect(page.locator(shows).first()).toBeVisible()
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
}
/** A call of the desk's API as who is signed in. */
export async function call(page: Page, method: string, path: string, body?: unknown): Promise<unknown> {
  return page.evaluate(
    async ([method, path, body]) => {
      const { csrf } = (await (await fetch('/web/v1/session')).json()) as { csrf: string }
      const r = await fetch(path ?? '', { method, headers: { 'X-Csrf': csrf, 'Content-Type': 'application/json' }, body })
      const text = await r.text()
      if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`)
      return text === '' ? undefined : (JSON.parse(text) as unknown)
    },
    [method, path, body === undefined ? undefined : JSON.stringify(body)],
  )
}
/** Limits with a change noted, whatever was looked at before. */
const drafted = async (page: Page) => {
  await toAdmin(page, '/limits', 'main form')
  if ((await page.locator('main .bar').count()) > 0) return
  await page.locator('main form input.num').first().fill('9')
  await page.locator('main form button[type=submit]').click()
  await expect(page.locator('main .bar')).toBeVisible()
}
const into = async (page: Page, list: string, link = 'main table a') => {
  await toAdmin(page, list, link)
  await page.locator(link).first().click()
  await expect(page.locator('main form').first()).toBeVisible()
}

/** One version of the configuration, of at least two. */
const oneVersion = async (page: Page, part: string) => {
  await toAdmin(page, '/versions', 'main .empty, main table')
  if ((await page.locator('main tbody a').count()) < 2) {
    for (let i = 0; i < 2; i++) {
      await toAdmin(page, '/limits', 'main form')
      const field = page.locator('main form input.num').first()
      await field.fill((await field.inputValue()) === '7' ? '8' : '7')
      await page.locator('main form button[type=submit]').click()
      await page.locator('main .bar a').click()
      await expect(page).toHaveURL(/\/limits\/apply$/)
      await page.locator('main button.pri').first().click()
      await expect(page).toHaveURL(/\/limits$/, { timeout: 30_000 }) // applied, back where it was noted
    }
    await toAdmin(page, '/versions', 'main table')
  }
  const at = await page.locator('main tbody a').nth(1).getAttribute('href')
  await page.goto(`${at}${part}`)
  await expect(page.locator('main h1')).toBeVisible()
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
}

export const screens: Screen[] = [
  { name: 'home', go: (page) => toAdmin(page, '') },
  { name: 'missing', go: (page) => toAdmin(page, '/nothing', 'main .empty') },
  { name: 'catalog', go: (page) => toAdmin(page, '/catalog', 'main table') },
  { name: 'catalog-none', go: (page) => toAdmin(page, '/catalog?q=zzzzzz', 'main .empty') },
  { name: 'catalog-product', go: (page) => into(page, '/catalog?q=ECS') },
  {
    name: 'catalog-type',
    go: async (page) => {
      await into(page, '/catalog?q=ECS')
      await page.locator('main ol a').first().click()
      await expect(page.locator('main .sheet')).toBeVisible()
    },
  },
  { name: 'catalog-categories', go: (page) => toAdmin(page, '/catalog/categories', 'main table') },
  { name: 'catalog-category', go: (page) => toAdmin(page, '/catalog/categories/0', 'main form') },
  { name: 'catalog-params', go: (page) => toAdmin(page, '/catalog/params', 'main table') },
  { name: 'catalog-param', go: (page) => toAdmin(page, '/catalog/params/symptoms', 'main form') },
  { name: 'catalog-csv', go: (page) => toAdmin(page, '/catalog/csv', 'main .card') },
  { name: 'catalog-gone', go: (page) => toAdmin(page, '/catalog/none-such', 'main .empty') },
  { name: 'sla', go: (page) => toAdmin(page, '/sla', 'main table') },
  { name: 'sla-severity', go: (page) => toAdmin(page, '/sla/severity/sev-1', 'main form') },
  { name: 'sla-plan', go: (page) => toAdmin(page, '/sla/plan/Business', 'main form') },
  { name: 'sla-house', go: (page) => toAdmin(page, '/sla/plan/-', 'main form') },
  { name: 'sla-calendar', go: (page) => toAdmin(page, '/sla/calendar/business%20hours', 'main form') },
  {
    name: 'sla-try',
    go: async (page) => {
      await toAdmin(page, '/sla/try', 'main .card')
      await page.locator('main .card button.pri').click()
      await expect(page.locator('main [role=status]')).toBeVisible()
    },
  },
  { name: 'limits', go: (page) => toAdmin(page, '/limits', 'main form') },
  {
    name: 'apply',
    go: async (page) => {
      await drafted(page)
      await page.locator('main .bar a').click()
      await expect(page.locator('main section button.pri, main button.pri').first()).toBeVisible()
    },
  },
  {
    name: 'discard',
    go: async (page) => {
      await drafted(page)
      await page.locator('main .bar button').click()
      await expect(page.locator('dialog[open] .danger')).toBeVisible()
    },
  },
  {
    name: 'discarded',
    go: async (page) => {
      await drafted(page)
      await page.locator('main .bar button').click()
      await page.locator('dialog[open] .danger').click()
      await expect(page.locator('main .bar')).toHaveCount(0)
    },
  },
  { name: 'agreements', go: (page) => toAdmin(page, '/agreements', 'main table') },
  { name: 'agreement', go: (page) => toAdmin(page, '/agreements/1', 'main article') },
  { name: 'agreement-new', go: (page) => toAdmin(page, '/agreements/new?type=0', 'main form') },
  { name: 'templates', go: (page) => toAdmin(page, '/templates', 'main table') },
  { name: 'template', go: (page) => toAdmin(page, '/templates/ticket.reply', 'main .mail') },
  { name: 'macros', go: (page) => toAdmin(page, '/macros', 'main table') },
  { name: 'macro', go: (page) => into(page, '/macros') },
  { name: 'snippets', go: (page) => toAdmin(page, '/snippets', 'main table') },
  { name: 'snippet-new', go: (page) => toAdmin(page, '/snippets/new', 'main form') },
  { name: 'rules', go: (page) => toAdmin(page, '/rules', 'main table') },
  {
    name: 'rule',
    go: async (page) => {
      await into(page, '/rules')
      await page.locator('main .extra button').first().click()
      await expect(page.locator('#dry')).toBeVisible()
    },
  },
  {
    name: 'rule-dry',
    go: async (page) => {
      await into(page, '/rules')
      await page.locator('main .extra button').first().click()
      await expect(page.locator('#dry')).toBeVisible()
      await page.locator('#dry').scrollIntoViewIfNeeded()
    },
    long: true,
  },
  { name: 'rule-new', go: (page) => toAdmin(page, '/rules/new', 'main form') },
  { name: 'rule-runs', go: (page) => toAdmin(page, '/rules/runs', 'main table') },
  { name: 'version', go: (page) => oneVersion(page, ''), long: true },
  { name: 'version-back', go: (page) => oneVersion(page, '/back'), long: true },
  { name: 'versions', go: (page) => toAdmin(page, '/versions', 'main .empty, main table') },
]
