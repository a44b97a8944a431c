// Every screen of the console, by its address.
import type { Page } from '@playwright/test'
import { axeClean } from './axe'
import { expect, signIn, type World } from './world'

export interface Screen {
  name: string
  path: string
  long?: boolean // looked at in the long set only
}
/** The kinds of access an engineer can ask for, by their ids of the contract. */
const kinds = { info: [3, 6, 5], agency: [2, 4, 3], sftp: [1, 5, 1], key: [1, 1, 2], password: [1, 1, 1], vnc: [1, 3, 1], rdp: [1, 2, 1], credential: [2, 4, 4] } as const
type Kind = keyof typeof kinds

export interface Made {
  ticket: string
  auth: string
  group: string
  /** Requests for consent, one of each kind. */
  consents: [Kind, string][]
}

/** The screens; those of a ticket and an authorization need what `prepare` made. */
export function screens(made: Made): Screen[] {
  return [
    { name: 'home', path: '/console' },
    { name: 'tickets', path: '/console/tickets' },
    { name: 'tickets-nomatch', path: '/console/tickets?q=nothing-like-this' },
    { name: 'tickets-group', path: `/console/tickets?group=${made.group}` },
    { name: 'ticket', path: `/console/tickets/${made.ticket}` },
    { name: 'new', path: '/console/new' },
    { name: 'labels', path: '/console/labels' },
    { name: 'auths', path: '/console/auths' },
    { name: 'auth', path: `/console/auths/${made.auth}` },
    ...made.consents.map(([kind, id]): Screen => ({ name: `consent-${kind}`, path: `/console/auths/${id}`, long: kind !== 'agency' && kind !== 'vnc' })),
    { name: 'sessions', path: `/console/auths/${made.auth}/sessions` },
    { name: 'access', path: '/console/access' },
    { name: 'audit', path: '/console/audit' },
    { name: 'audit-nomatch', path: '/console/audit?what=agreement&days=7&ticket=999' },
    { name: 'agreements', path: '/console/agreements' },
    { name: 'me', path: '/console/me' },
    { name: 'articles', path: '/console/articles' },
    { name: 'articles-nomatch', path: '/console/articles?q=nothing-like-this' },
    { name: 'article', path: '/console/articles/ecs-ssh-login' },
    { name: 'figures', path: '/console/figures' },
    { name: 'figures-table', path: '/console/figures?view=table' },
    { name: 'missing', path: '/console/nowhere' },
  ]
}

/** Opens every screen in each combination, or the main ones in one of them in turns, and looks for violations and sideways scrolling. */
export async function walk(page: Page, world: World, combinations: { language: string; theme: string; width: number }[], turns = false): Promise<void> {
  const made = await prepare(world)
  const look = async (s: Screen, c: (typeof combinations)[number]) => {
    await page.goto(s.path)
    await expect(page.getByRole('heading', { level: 1 }).first()).toBeVisible()
    await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
    const where = `${s.name} ${c.language} ${c.theme} ${c.width}`
    await axeClean(page, where)
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${where}: scrolls sideways`).toBeLessThanOrEqual(0)
  }
  const set = async (c: (typeof combinations)[number]) => {
    await page.setViewportSize({ width: c.width, height: 900 })
    await page.evaluate(([l, t]) => {
      localStorage.setItem('casemate.language', l ?? '')
      localStorage.setItem('casemate.prefs', JSON.stringify({ theme: t, zone: 'Asia/Shanghai', keys: true }))
    }, [c.language, c.theme])
  }
  await page.goto('/login')
  for (const c of combinations) {
    await set(c)
    await look({ name: 'login', path: '/login' }, c)
  }
  await signIn(page, world, 'yunfan')
  for (const [turn, c] of combinations.entries()) {
    await set(c)
    for (const [i, s] of screens(made).filter((s) => !turns || s.long !== true).entries()) if (!turns || i % combinations.length === turn) await look(s, c)
  }
}

/** A ticket that has been talked about, and an authorization that waits, of the first customer's main account. */
export async function prepare(world: World): Promise<Made> {
  const user = world.domains[0]?.users[0]
  const r = await fetch(`${world.base}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: user?.name, password: user?.password, domain: { name: world.domains[0]?.domain_name } } } } } }),
  })
  const token = r.headers.get('X-Subject-Token') ?? ''
  const call = async (method: string, path: string, body?: unknown) => {
    const a = await fetch(world.base + path, { method, headers: { 'X-Auth-Token': token, 'Content-Type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) })
    const text = await a.text()
    if (!a.ok) throw new Error(`${method} ${path}: ${a.status} ${text}`)
    return JSON.parse(text) as Record<string, unknown>
  }
  // Another story of this world may have made one of them.
  const labels = (await call('GET', '/v2/servicerequest/labels?limit=100')) as { label_list: { name: string }[] }
  const there = labels.label_list.map((l) => l.name)
  for (const [name, color] of [['生产', '#b3261e'], ['网络', '#22509a']] as const) if (!there.includes(name)) await call('POST', '/v2/servicerequest/labels', { name, color })
  const list = (await call('GET', '/v2/servicerequest/cases?incident_status=1&limit=10')) as { incident_info_list: { incident_id: string }[] }
  const ticket = list.incident_info_list[0]?.incident_id ?? ''
  const chen = await world.desk('chen')
  await chen.call('POST', `/desk/v1/tickets/${ticket}/steps`, { action: 'reply', text: '请先执行：\n\n```\nping -c 4 203.0.113.10\n```\n\n- 查看丢包率\n- 把结果贴在这里' })
  const auth = await requestAuthorization(chen, ticket)
  const groups = (await call('GET', '/web/v1/me/groups')) as { items: { id: string }[] }
  return { ticket, auth, group: groups.items[0]?.id ?? '', consents: await askAll(world, chen, list.incident_info_list.at(-1)?.incident_id ?? ticket) } // a ticket has ten requests at the most
}

/** One of each kind, asked once in a world. */
const asked = new Map<string, [Kind, string][]>()
async function askAll(world: World, chen: { call: (m: string, p: string, b?: unknown) => Promise<unknown> }, ticket: string): Promise<[Kind, string][]> {
  const there = asked.get(world.base)
  if (there !== undefined) return there
  const made: [Kind, string][] = []
  for (const kind of Object.keys(kinds) as Kind[]) {
    const [resource, visit, content] = kinds[kind].map(String)
    const host = (name: string, address: string) => ({ type: 'host', address, instance_name: name, port: { vnc: 5900, rdp: 3389 }[kind as string] ?? 22 })
    const a = (await chen.call('POST', `/desk/v1/tickets/${ticket}/authorizations`, {
      description: '为定位问题，需要登录查看系统日志。只读取日志，不做任何修改。',
      resource_type_id: resource,
      visit_type_id: visit,
      content_type_id: content,
      details: resource === '1' ? [host('ecs-web-01', '192.0.2.10'), ...(kind === 'password' ? [host('ecs-a-very-long-instance-name-for-the-order-database-02', '192.0.2.11')] : [])] : [{ type: 'console' }],
    })) as { id: string }
    made.push([kind, a.id])
  }
  asked.set(world.base, made)
  return made
}

async function requestAuthorization(chen: { call: (m: string, p: string, b?: unknown) => Promise<unknown> }, ticket: string): Promise<string> {
  const a = (await chen.call('POST', `/desk/v1/tickets/${ticket}/authorizations`, {
    description: '查看路由表，确认 09:08 的变更',
    resource_type_id: '1',
    visit_type_id: '1',
    content_type_id: '1',
    details: [{ type: 'host', address: '10.0.3.17', instance_id: 'i-7f3a', instance_name: 'web-01', region_id: 'cn-north-4', port: 22 }],
  })) as { id?: string; number?: string }
  return a.id ?? a.number ?? ''
}
