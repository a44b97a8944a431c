// The desk's screens and layers, for whoever looks at all of them.
import type { Page } from '@playwright/test'
import { expect } from './world'

export interface Screen {
  name: string
  go: (page: Page) => Promise<void>
  long?: boolean // looked at in the long set only
  after?: (page: Page) => Promise<void>
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

/** An authorization in force and one to be approved, with a session, as the API would answer. */
async function granted(page: Page): Promise<void> {
  const at = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString()
  const one = (id: string, status: number) => ({
    id, version: 3, status, status_name: '', number: 'TS2601010000000000000', domain_id: 'd', engineer_id: 'e', engineer_name: 'chen', approver_name: 'zhao', handler_name: 'lihua',
    description: '为定位问题，需要登录查看系统日志。\n\n- 只读取日志\n- 不做任何修改', resource_type_name: '云服务器', visit_type_name: 'SSH 登录', content_type_name: '账号和密码',
    ...(status === 1 ? { effective_at: at(-60), expires_at: at(180) } : { due_at: at(3000) }), created_at: at(-90), updated_at: at(-60), details: [{ id: 7, type: 'host', address: '192.0.2.10', port: 22, instance_name: 'ecs-web-01' }],
  })
  await page.route('**/desk/v1/authorizations?*', (r) => r.fulfill({ json: { items: [one(/status=6/.test(r.request().url()) ? 'Auth-01m7-b' : 'Auth-01m7-a', /status=6/.test(r.request().url()) ? 6 : 1)] } }))
  await page.route('**/desk/v1/authorizations/Auth-*', (r) => r.fulfill({ json: one('Auth-01m7-a', 1) }))
  await page.route('**/desk/v1/authorizations/Auth-*/sessions', (r) => r.fulfill({ json: { items: [{ id: 9, detail_id: 7, engineer_id: 'e', engineer_name: 'chen', opened_at: at(-40), closed_at: at(-12), commands: 2, transfers: 1 }, { id: 8, detail_id: 7, engineer_id: 'e', engineer_name: 'chen', opened_at: at(-50), commands: 0, transfers: 0 }] } }))
  await page.route('**/desk/v1/authorizations/Auth-*/sessions/9/records', (r) => r.fulfill({ json: { commands: [{ at: at(-39), text: 'tail -n 200 /var/log/messages' }, { at: at(-38), text: 'df -h' }], transfers: [{ at: at(-30), type: 'download', file_name: 'messages.gz', result: 'success' }] } }))
  await page.route('**/desk/v1/tickets/TS2601010000000000000', async (r) => {
    const mine = (await (await page.request.get('/desk/v1/queues/mine/tickets?limit=1', { headers: r.request().headers() })).json()) as { items: object[] }
    return r.fulfill({ json: mine.items[0] })
  })
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
    name: 'ask',
    go: async (page) => {
      await toTicket(page)
      await page.locator('main h1').click()
      await page.keyboard.press('q')
      await page.locator('dialog[open] input[value=key]').check()
      await expect(page.locator('dialog[open] .host')).toBeVisible()
    },
  },
  {
    name: 'auth',
    go: async (page) => {
      await granted(page)
      await page.goto('/desk/approvals?status=granted')
      await page.locator('main li .name').first().click()
      await expect(page.locator('dialog[open] .log')).toHaveCount(0)
      await page.locator('dialog[open] [aria-expanded]').first().click()
      await expect(page.locator('dialog[open] .log')).toBeVisible()
      await settled(page)
    },
    after: (page) => page.unrouteAll({ behavior: 'wait' }),
  },
  {
    name: 'approvals',
    go: async (page) => {
      await granted(page)
      await page.goto('/desk/approvals')
      await expect(page.locator('main li').first()).toBeVisible()
      await settled(page)
    },
    after: (page) => page.unrouteAll({ behavior: 'wait' }),
  },
  {
    name: 'approvals-none',
    go: async (page) => {
      await page.unrouteAll()
      await page.goto('/desk/approvals')
      await expect(page.locator('main .empty')).toBeVisible()
    },
  },
  {
    name: 'history',
    go: async (page) => {
      await toTicket(page)
      await page.locator('main h1').click()
      await page.keyboard.press('d')
      await page.locator('.past a').first().click()
      await expect(page.locator('.then .talk li').first()).toBeVisible()
      await settled(page)
    },
  },
  {
    name: 'relate',
    go: async (page) => {
      await toTicket(page)
      if (await page.locator('.ctx').isVisible()) await page.locator('.ctx').click()
      await page.locator('.around').getByRole('button', { name: /^(关联工单|Relate a ticket)$/ }).click()
      await expect(page.locator('dialog[open] [role=option]').first()).toBeVisible()
      await settled(page)
    },
  },
  {
    name: 'move',
    go: async (page) => {
      await toList(page)
      // One that says something beside its description.
      for (const link of await page.locator('a[data-number]').all()) {
        if (!(await link.isVisible())) break
        await link.click()
        await expect(page.locator('main .msg').first()).toBeVisible()
        await settled(page)
        if ((await page.locator('main .msg').count()) > 1) break
        await page.keyboard.press('u')
        await expect(page.locator('a[data-number]').first()).toBeVisible()
      }
      await page.getByRole('button', { name: /^(更多操作|More actions)/ }).click()
      await page.getByRole('button', { name: /^(拆分|Split)/ }).click()
      await page.locator('.msg .tick input').first().check()
      await page.locator('.split').getByRole('button', { name: /^(移到已有工单|Move to a ticket)$/ }).click()
      await expect(page.locator('dialog[open] [role=option]').first()).toBeVisible()
      await settled(page)
    },
  },
  {
    name: 'view',
    go: async (page) => {
      await toList(page)
      await page.locator('.list .menu button').first().click()
      await page.locator('.list .menu .item').first().click()
      await expect(page.locator('dialog[open] fieldset').first()).toBeVisible()
      await settled(page)
    },
  },
  {
    name: 'dense',
    go: async (page) => {
      await toList(page)
      await page.locator('.list .menu button').first().click()
      await page.locator('.list .menu input').first().check()
      await expect(page.locator('.box li.dense').first()).toBeVisible()
    },
    after: (page) => page.evaluate(() => localStorage.removeItem('casemate.desk')),
  },
  {
    name: 'menu',
    go: async (page) => {
      await toList(page)
      await page.locator('header .menu button').first().click()
      await expect(page.locator('header .prefs select').first()).toBeVisible()
    },
  },
  {
    name: 'guide',
    go: async (page) => {
      await toList(page)
      await page.locator('aside [aria-controls]').first().click()
      await expect(page.locator('aside ol').first()).toBeVisible()
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
  { name: 'article-use', go: at('/desk/knowledge/ecs-ssh-login?tab=use', 'main code:visible'), long: true },
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
