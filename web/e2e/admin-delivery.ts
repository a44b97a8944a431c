import { toAdmin } from './admin-service'
import type { Screen } from './desk-screens'
import { expect } from './world'

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
  { name: 'provider-missing', go: (page) => toAdmin(page, '/providers/none-such', 'main .failed') },
  {
    name: 'deliveries',
    go: async (page) => {
      await toAdmin(page, '/deliveries', 'main table')
      await page.locator('main table details summary').first().click()
    },
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
