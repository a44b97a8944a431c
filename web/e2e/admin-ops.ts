// Screens of running the installation.
import type { Page } from '@playwright/test'
import { toAdmin } from './admin-service'
import type { Screen } from './desk-screens'
import { expect } from './world'

/** The first webhook, made when there is none. */
const webhook = async (page: Page) => {
  await toAdmin(page, '/webhooks', 'main .empty, main table')
  if ((await page.locator('main tbody a').count()) === 0) {
    await toAdmin(page, '/webhooks/new', 'main form input')
    await page.locator('main input[type=url]').fill('https://receiver.invalid/casemate')
    await page.locator('main button[type=submit]').click()
    await expect(page.locator('main .once')).toBeVisible()
    await page.locator('main .once .pri').click()
  } else await page.locator('main tbody a').first().click()
  await expect(page.locator('main .card').nth(2)).toBeVisible()
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
}

export const screens: Screen[] = [
  { name: 'webhooks', go: (page) => toAdmin(page, '/webhooks', 'main .empty, main table') },
  { name: 'webhook-new', go: (page) => toAdmin(page, '/webhooks/new', 'main form input') },
  {
    name: 'webhook',
    go: webhook,
  },
  {
    name: 'webhook-delivery',
    go: async (page) => {
      await webhook(page)
      await page.getByRole('button', { name: /^(发送测试事件|发送测试|Send a test( event)?|测试|Test)$/ }).click()
      await expect(page.locator('main details[open] pre').first()).toBeVisible({ timeout: 30_000 })
    },
    long: true,
  },
  {
    name: 'webhook-secret',
    go: async (page) => {
      await webhook(page)
      await page.getByRole('button', { name: /更换密钥|New secret/ }).click()
      await expect(page.locator('main .once')).toBeVisible()
    },
  },
  { name: 'audit', go: (page) => toAdmin(page, '/audit', 'main table') },
  {
    name: 'audit-chain',
    go: async (page) => {
      await toAdmin(page, '/audit', 'main table')
      await page.locator('main section details summary').first().click()
      await expect(page.locator('main section details[open] dl')).toBeVisible()
    },
    long: true,
  },
  {
    name: 'audit-event',
    go: async (page) => {
      await toAdmin(page, '/audit?group=domain', 'main table')
      await page.locator('main tbody button').first().click()
      await expect(page.locator('dialog[open] dl')).toBeVisible()
    },
  },
  { name: 'audit-none', go: (page) => toAdmin(page, '/audit?kind=zzz.none', 'main .empty') },
  { name: 'privacy', go: (page) => toAdmin(page, '/privacy', 'main .card') },
  { name: 'privacy-person', go: (page) => toAdmin(page, '/privacy?by=contact&contact=nobody%40example.com', 'main .card h2') },
  { name: 'privacy-erasures', go: (page) => toAdmin(page, '/privacy/erasures', 'main .empty, main table') },
  { name: 'privacy-holds', go: (page) => toAdmin(page, '/privacy/holds?new=person', 'main form') },
  { name: 'privacy-retention', go: (page) => toAdmin(page, '/privacy/retention', 'main table') },
  {
    name: 'privacy-rule',
    go: async (page) => {
      await toAdmin(page, '/privacy/retention', 'main table')
      await page.locator('main tbody button').first().click()
      await page.locator('dialog[open] button[type=submit]').click()
      await expect(page.locator('dialog[open] [role=status]')).toBeVisible()
    },
  },
  { name: 'abuse', go: (page) => toAdmin(page, '/abuse', 'main .empty, main table') },
  { name: 'system', go: (page) => toAdmin(page, '/system', 'main table') },
]
