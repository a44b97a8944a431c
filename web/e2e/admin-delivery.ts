import { call, toAdmin } from './admin-service'
import type { Screen } from './desk-screens'
import type { Page } from '@playwright/test'
import { expect } from './world'

/** The edit page of a mail server, set up when there is none. */
const stored = async (page: Page) => {
  await toAdmin(page, '/providers', 'main .empty, main table')
  const { items } = (await call(page, 'GET', '/desk/v1/providers')) as { items: { name: string }[] }
  if (!items.some((p) => p.name === 'spare-mail')) await call(page, 'POST', '/desk/v1/providers', { name: 'spare-mail', kind: 'smtp', enabled: false, smtp: { host: 'mail.example.com', port: 587, from: 'support@example.com' } })
  await toAdmin(page, '/providers/spare-mail', '#settings')
}

export const screens: Screen[] = [
  { name: 'providers', go: (page) => toAdmin(page, '/providers', 'main .empty, main table') },
  {
    name: 'provider-new',
    go: async (page) => {
      await toAdmin(page, '/providers/~new', 'main form')
      await page.locator('main details summary').first().click()
    },
  },
  {
    name: 'provider-new-http',
    go: async (page) => {
      await toAdmin(page, '/providers/~new', 'main form')
      await page.locator('input[value=http]').check()
    },
  },
  { name: 'provider', go: (page) => stored(page), long: true },
  {
    name: 'provider-edit',
    go: async (page) => {
      await stored(page)
      await page.locator('#settings').scrollIntoViewIfNeeded()
    },
    long: true,
  },
  {
    name: 'provider-trial',
    go: async (page) => {
      await stored(page)
      const form = page.locator('main form').first()
      await form.locator('input').first().fill('nobody@example.com')
      await form.locator('button[type=submit], button.pri').first().click()
      await expect(page.locator('main .said')).toBeVisible({ timeout: 40_000 })
    },
    long: true,
  },
  { name: 'provider-missing', go: (page) => toAdmin(page, '/providers/none-such', 'main .failed') },
  {
    name: 'deliveries',
    go: async (page) => {
      await toAdmin(page, '/deliveries', 'main table')
      await page.locator('main table details summary').first().click()
    },
  },
  {
    name: 'delivery',
    go: async (page) => {
      await toAdmin(page, '/deliveries', 'main table')
      await page.locator('main table details summary').nth(1).click()
      await page.locator('main table details[open]').scrollIntoViewIfNeeded()
    },
    long: true,
  },
  { name: 'deliveries-none', go: (page) => toAdmin(page, '/deliveries?state=bounced', 'main .empty') },
  { name: 'codes', go: (page) => toAdmin(page, '/codes', 'main h2') },
  { name: 'blocked', go: (page) => toAdmin(page, '/blocked', 'main .empty, main table') },
  { name: 'mailboxes', go: (page) => toAdmin(page, '/mailboxes', 'main .empty, main table') },
  { name: 'mail', go: (page) => toAdmin(page, '/mail', 'main .empty, main table') },
  {
    name: 'catcher',
    go: async (page) => {
      await toAdmin(page, '/catcher', 'main article')
      await expect(page.locator('main article .text')).not.toBeEmpty()
    },
  },
]
