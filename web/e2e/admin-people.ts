// Screens of people and access.
import type { Page } from '@playwright/test'
import { call, toAdmin } from './admin-service'
import type { Screen } from './desk-screens'
import { expect } from './world'

const settled = async (page: Page) => expect(page.locator('[aria-busy=true]')).toHaveCount(0)
/** The first thing of a place's list, or a part of it. */
const known = new WeakMap<Page, Map<string, string>>()
const first = async (page: Page, place: string, part = '') => {
  const firsts = known.get(page) ?? new Map<string, string>()
  known.set(page, firsts)
  let href = firsts.get(place)
  if (href === undefined) {
    await toAdmin(page, `/${place}`, 'main table')
    href = (await page.locator('main tbody a').first().getAttribute('href')) ?? ''
    firsts.set(place, href)
  }
  await page.goto(`${href}${part}`)
  await expect(page.locator('main h1')).toBeVisible()
  await expect(page.locator('main .card, main .empty, main table').first()).toBeVisible()
  await settled(page)
}

const someDomain = async (page: Page) => {
  await toAdmin(page, '/accounts', 'main table')
  return (await page.locator('main tbody a').first().getAttribute('href'))?.split('/').at(-1) ?? ''
}
/** A sandbox account, made when there is none. */
const sandbox = async (page: Page) => {
  const { items } = (await call(page, 'GET', '/desk/v1/domains')) as { items: { id: string; sandbox?: boolean }[] }
  const id = items.find((d) => d.sandbox === true)?.id ?? ((await call(page, 'POST', '/desk/v1/domains', { name: 'Spielwiese', sandbox: true })) as { id: string }).id
  await toAdmin(page, `/accounts/${id}`, 'main form')
  await page.locator('#box-by').scrollIntoViewIfNeeded()
}

export const screens: Screen[] = [
  { name: 'accounts', go: (page) => toAdmin(page, '/accounts', 'main table') },
  { name: 'accounts-none', go: (page) => toAdmin(page, '/accounts?q=zzzz', 'main .empty') },
  { name: 'account-new', go: (page) => toAdmin(page, '/accounts/new', 'main form input') },
  { name: 'account', go: (page) => first(page, 'accounts') },
  { name: 'account-gone', go: (page) => toAdmin(page, '/accounts/none-such', 'main .failed') },
  { name: 'account-users', go: (page) => first(page, 'accounts', '/users') },
  { name: 'account-user-new', go: (page) => first(page, 'accounts', '/users/new') },
  {
    name: 'account-user',
    go: async (page) => {
      await first(page, 'accounts', '/users')
      await page.locator('main tbody a').first().click()
      await expect(page.locator('main .card').nth(4)).toBeVisible()
      await settled(page)
    },
  },
  {
    name: 'account-password',
    go: async (page) => {
      await first(page, 'accounts', '/users')
      await page.locator('main tbody a').first().click()
      await page.locator('main').getByRole('button', { name: /设置新密码|Set a new password/ }).click()
      await settled(page)
    },
  },
  { name: 'account-groups', go: (page) => first(page, 'accounts', '/groups') },
  { name: 'account-permissions', go: (page) => first(page, 'accounts', '/permissions') },
  { name: 'account-agencies', go: (page) => first(page, 'accounts', '/agencies') },
  { name: 'account-resources', go: (page) => first(page, 'accounts', '/resources') },
  { name: 'account-resource-new', go: (page) => first(page, 'accounts', '/resources/new') },
  { name: 'account-diagnoses', go: (page) => first(page, 'accounts', '/diagnoses') },
  { name: 'account-sandbox', go: (page) => sandbox(page), long: true },
  {
    name: 'account-keys',
    go: async (page) => {
      const domain = await someDomain(page)
      const { items } = (await call(page, 'GET', `/desk/v1/domains/${domain}/users`)) as { items: { id: string }[] }
      const keys = (await call(page, 'GET', `/desk/v1/domains/${domain}/users/${items[0]?.id}/keys`)) as { items: unknown[] }
      if (keys.items.length === 0) await call(page, 'POST', `/desk/v1/domains/${domain}/users/${items[0]?.id}/keys`)
      await toAdmin(page, `/keys?domain=${domain}`, 'main table')
    },
    long: true,
  },
  { name: 'engineers', go: (page) => toAdmin(page, '/engineers', 'main table') },
  { name: 'engineer-new', go: (page) => toAdmin(page, '/engineers/new', 'main form input') },
  { name: 'engineer', go: (page) => first(page, 'engineers') },
  { name: 'teams', go: (page) => toAdmin(page, '/teams', 'main table') },
  { name: 'team', go: (page) => first(page, 'teams') },
  { name: 'roles', go: (page) => toAdmin(page, '/roles', 'main table') },
  { name: 'partners', go: (page) => toAdmin(page, '/partners', 'main .empty, main table') },
  {
    name: 'partner',
    go: async (page) => {
      await toAdmin(page, '/partners', 'main .empty, main table')
      if ((await page.locator('main tbody a').count()) === 0) await call(page, 'POST', '/desk/v1/partners', { name: 'Helfer & Partner', hours: { zone: 'GMT+8', days: 5, hours: 9 } })
      await first(page, 'partners')
    },
    long: true,
  },
  { name: 'partner-new', go: (page) => toAdmin(page, '/partners/new', 'main form input') },
  { name: 'keys', go: (page) => toAdmin(page, '/keys', 'main .empty, main table') },
]
