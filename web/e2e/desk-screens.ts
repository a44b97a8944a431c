// The desk's screens and layers, for whoever looks at all of them.
import type { Page } from '@playwright/test'
import { expect } from './world'

export interface Screen {
  name: string
  go: (page: Page) => Promise<void>
  long?: boolean // looked at in the long set only
}

const at = (path: string, there: string) => async (page: Page) => {
  await page.goto(path)
  await expect(page.locator(there).first()).toBeVisible()
  await settled(page)
}
const settled = async (page: Page) => {
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
}
export async function toList(page: Page, queue = 'mine'): Promise<void> {
  await page.goto(`/desk/q/${queue}`)
  await expect(page.locator('a[data-number]').first()).toBeVisible()
  await settled(page)
}
export async function toTicket(page: Page): Promise<void> {
  await toList(page)
  await page.locator('a[data-number]').first().click()
  await expect(page.locator('main .msg').first()).toBeVisible()
  await settled(page)
}
const layer = async (page: Page, key: string) => {
  await page.locator('main h1').click() // no text field has the focus
  await page.keyboard.press(key)
  await expect(page.locator('dialog[open]').locator('[role=option], dl').first()).toBeVisible()
  await settled(page)
}

export const screens: Screen[] = [
  { name: 'queue', go: (page) => toList(page) },
  {
    name: 'queue-gone',
    go: async (page) => {
      await page.goto('/desk/q/none-such')
      await expect(page.locator('.list .failed')).toBeVisible()
    },
  },
  {
    name: 'queue-empty',
    go: async (page) => {
      const nothing = page.locator('nav a', { has: page.locator('.num', { hasText: /^0$/ }) }).first()
      await page.goto((await nothing.getAttribute('href')) ?? '')
      await expect(page.locator('.list .empty')).toBeVisible()
    },
  },
  {
    name: 'bulk',
    go: async (page) => {
      await toList(page)
      await page.locator('.pick input').first().check()
      await expect(page.locator('.bulk')).toBeVisible()
    },
  },
  { name: 'ticket', go: toTicket },
  {
    name: 'details',
    go: async (page) => {
      await toTicket(page)
      if (await page.locator('.ctx').isVisible()) await page.locator('.ctx').click()
      await page.locator('.around details summary').first().click()
      await expect(page.locator('.around table').first()).toBeVisible()
    },
  },
  {
    name: 'note',
    go: async (page) => {
      await toTicket(page)
      await page.locator('#tab-note').click()
    },
  },
  {
    name: 'macro',
    go: async (page) => {
      await toTicket(page)
      await layer(page, '/')
      await expect(page.locator('dialog[open] input')).toBeFocused()
      await page.keyboard.press('Enter')
      await expect(page.locator('dialog ol li').first()).toBeVisible()
    },
  },
  {
    name: 'transfer',
    go: async (page) => {
      await toTicket(page)
      await layer(page, 't')
    },
  },
  {
    name: 'snooze',
    go: async (page) => {
      await toTicket(page)
      await layer(page, 's')
    },
  },
  {
    name: 'merge',
    go: async (page) => {
      await toTicket(page)
      await layer(page, 'm')
    },
  },
  {
    name: 'palette',
    go: async (page) => {
      await toTicket(page)
      await layer(page, 'Control+k')
    },
  },
  {
    name: 'keys',
    go: async (page) => {
      await toTicket(page)
      await layer(page, '?')
    },
  },
  {
    name: 'search',
    go: async (page) => {
      await page.goto('/desk/search?q=cpu')
      await expect(page.locator('mark').first()).toBeVisible()
    },
  },
  {
    name: 'search-none',
    go: async (page) => {
      await page.goto('/desk/search?q=zzzzzz')
      await expect(page.locator('main .empty')).toBeVisible()
    },
  },
  {
    name: 'search-start',
    go: async (page) => {
      await page.goto('/desk/search')
      await expect(page.locator('#search')).toBeVisible()
    },
  },
  {
    name: 'shift',
    go: async (page) => {
      await page.goto('/desk/shift')
      await expect(page.locator('main section').first()).toBeVisible()
      await settled(page)
    },
  },
  {
    name: 'account',
    go: async (page) => {
      await page.goto('/desk/account')
      await expect(page.locator('main section li').first()).toBeVisible()
      await settled(page)
    },
  },
  { name: 'knowledge', go: at('/desk/knowledge', 'main .hits li') },
  { name: 'knowledge-none', go: at('/desk/knowledge?q=zzzzzz', 'main .empty'), long: true },
  { name: 'article', go: at('/desk/knowledge/ecs-ssh-login', 'main .prose'), long: true },
  {
    name: 'article-edit',
    go: async (page) => {
      await at('/desk/knowledge/escalate-to-second-line', 'main .prose')(page)
      await page.locator('.modes button').first().click()
      await expect(page.locator('textarea.body').first()).toBeVisible()
    },
  },
  { name: 'article-versions', go: at('/desk/knowledge/ecs-ssh-login?tab=versions', 'main ol.list li'), long: true },
  { name: 'article-use', go: at('/desk/knowledge/ecs-ssh-login?tab=use', 'main code'), long: true },
  { name: 'article-new', go: at('/desk/knowledge/new', 'textarea.body'), long: true },
  {
    name: 'article-pick',
    go: async (page) => {
      await toTicket(page)
      await layer(page, 'b')
    },
    long: true,
  },
  { name: 'board', go: at('/desk/board', 'main canvas') },
  { name: 'board-table', go: at('/desk/board?view=table', 'main table a') },
  { name: 'board-list', go: at('/desk/board/open?measure=open', 'main table a'), long: true },
  {
    name: 'missing',
    go: async (page) => {
      await page.goto('/desk/nothing/here')
      await expect(page.locator('main .empty')).toBeVisible()
    },
  },
]

/** Language and scheme as a user chose them before. */
export async function chosen(page: Page, language: 'zh-cn' | 'en-us', theme: 'light' | 'dark'): Promise<void> {
  await page.evaluate(
    ([l, t]) => {
      localStorage.setItem('casemate.language', l ?? '')
      localStorage.setItem('casemate.prefs', JSON.stringify({ theme: t, zone: 'Asia/Shanghai', keys: true }))
    },
    [language, theme],
  )
}
