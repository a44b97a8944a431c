// A real casemate process with the demo world on a fresh folder, one per
// worker, and pages that must stay clean: no console error, no violation of the
// policy, no request to another origin.
import { expect, test as base, type BrowserContext, type Cookie, type Page } from '@playwright/test'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export interface User {
  name: string
  password: string
  user_id?: string
  ak?: string
  sk?: string
  email?: string
  mobile?: string
}
export interface World {
  base: string
  /** Cookies and tokens of those who signed in, by name. */
  kept: Map<string, Cookie>
  apis: Map<string, Promise<Api>>
  data: string
  domains: { domain_name: string; domain_id: string; users: User[] }[]
  engineers: User[]
  admin: User
  /** The code that was last sent to a contact. */
  code: (contact: string) => string
  desk: (name: string) => Promise<Api>
}

export const binary = resolve(process.env.CASEMATE_BIN ?? join(import.meta.dirname, '../../bin/casemate'))

interface Started {
  world: World
  stop: () => Promise<void>
  /** Sends the program a signal. */
  signal: (name: NodeJS.Signals) => void
  /** Starts it again on the same folder and at the same address, once it has ended. */
  again: () => Promise<void>
}

/** A program of its own with the demo world on a fresh folder; `config` is the text of its configuration file. */
export async function start(config?: string): Promise<Started> {
  const dir = mkdtempSync(join(tmpdir(), 'casemate-e2e-'))
  const data = join(dir, 'data')
  const file = join(dir, 'credentials.json')
  const own = join(dir, 'casemate.yaml')
  if (config !== undefined) writeFileSync(own, config)
  let said = ''
  const run = (address: string): ChildProcess => {
    const c = spawn(binary, ['serve', '--demo', ...(config === undefined ? [] : ['--config', own]), '--data', data, '--listen', address, '--credentials', file], { stdio: ['ignore', 'ignore', 'pipe'] })
    c.stderr?.on('data', (d: Buffer) => (said = (said + d.toString()).slice(-4000)))
    return c
  }
  let child = run('127.0.0.1:0')
  let world: World | undefined
  for (let i = 0; i < 300 && world === undefined; i++) {
    await new Promise((r) => setTimeout(r, 100))
    if (child.exitCode !== null) throw new Error(`casemate ended: ${said}`)
    if (!existsSync(file)) continue
    try {
      const c = JSON.parse(readFileSync(file, 'utf8')) as { base_url: string } & Pick<World, 'domains' | 'engineers' | 'admin'>
      if (!(await fetch(`${c.base_url}/readyz`)).ok) continue
      world = { ...c, base: c.base_url, data, kept: new Map(), apis: new Map(), code: (contact) => codeFor(data, contact), desk: (name) => once(world as World, name) }
    } catch {
      continue // not written whole yet, or not listening
    }
  }
  if (world === undefined) {
    child.kill('SIGKILL')
    throw new Error(`casemate did not start: ${said}`)
  }
  const { base } = world
  return {
    world,
    signal: (name) => void child.kill(name),
    again: async () => {
      for (let i = 0; child.exitCode === null && child.signalCode === null; i++) {
        if (i > 100) throw new Error('casemate has not ended')
        await new Promise((r) => setTimeout(r, 50))
      }
      child = run(new URL(base).host)
      for (let i = 0; !(await fetch(`${base}/readyz`).then((r) => r.ok, () => false)); i++) {
        if (i > 150 || child.exitCode !== null) throw new Error(`casemate did not start again: ${said}`)
        await new Promise((r) => setTimeout(r, 100))
      }
    },
    stop: async () => {
      // Its folder goes with it: nothing is kept, nobody waits until it has drained.
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((r) => child.once('exit', r))
        child.kill('SIGKILL')
        await ended
      }
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function codeFor(data: string, contact: string): string {
  return execFileSync(binary, ['outbox', '--data', data, '--to', contact, '--code'], { encoding: 'utf8' }).trim()
}

/** The desk's API as an engineer, for what the other side does in a story. */
export class Api {
  constructor(
    private readonly base: string,
    private readonly token: string,
  ) {}
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const r = await fetch(this.base + path, {
      method,
      headers: { 'X-Auth-Token': this.token, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    const text = await r.text()
    if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`)
    return text === '' ? undefined : (JSON.parse(text) as unknown)
  }
}

/** One session of an engineer for all that a world's tests do in his name. */
function once(world: World, name: string): Promise<Api> {
  const api = world.apis.get(name) ?? engineer(world, name)
  world.apis.set(name, api)
  return api
}

async function engineer(world: World, name: string): Promise<Api> {
  const who = [...world.engineers, world.admin].find((e) => e.name === name)
  if (who === undefined) throw new Error(`no engineer ${name}`)
  const r = await fetch(`${world.base}/desk/v1/sessions`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ name, password: who.password }) })
  const got = (await r.json()) as { token?: string }
  if (!r.ok || got.token === undefined) throw new Error(`log-in of ${name}: ${r.status} ${JSON.stringify(got)}`)
  return new Api(world.base, got.token)
}

export interface Faults {
  list: string[]
  /** What a test provokes on purpose. */
  allow: RegExp[]
}

/** Watches a page; the faults are looked at when the test ends. */
export function watch(context: BrowserContext, origin: string, faults: Faults): void {
  context.on('console', (m) => {
    // Nobody signed in is an answer, and the browser writes every 401 down.
    if (m.type() === 'error' && !(m.text().includes('401') && m.location().url.endsWith('/web/v1/session'))) faults.list.push(`console: ${m.text()} ${m.location().url}`)
  })
  context.on('weberror', (e) => faults.list.push(`exception: ${e.error().stack ?? e.error().message}`))
  context.on('request', (r) => {
    const url = r.url()
    if (!url.startsWith(origin) && !url.startsWith('data:') && !url.startsWith('blob:')) faults.list.push(`request to another origin: ${url}`)
  })
}

/** The person of a customer's account, or without one of the house. */
function person(world: World, name: string, domain?: number): { user: User; domain?: string } {
  const d = domain === undefined ? undefined : world.domains[domain]
  const user = (domain === undefined ? [...world.engineers, world.admin] : (d?.users ?? [])).find((u) => u.name === name)
  if (user === undefined) throw new Error(`nobody of the name ${name}`)
  return { user, ...(d === undefined ? {} : { domain: d.domain_name }) }
}

/**
 * Makes the browser one in which the person has signed in: a session is opened
 * once for each world, by the call of the sign-in page, and its cookie is kept.
 * Stories that end sessions, or are about signing in, go through the page.
 */
async function known(page: Page, world: World, name: string, domain?: number): Promise<void> {
  const who = person(world, name, domain)
  const key = `${who.domain ?? ''}/${name}`
  let cookie = world.kept.get(key)
  if (cookie === undefined) {
    const r = await fetch(`${world.base}/web/v1/session`, { method: 'POST', headers: { 'Content-Type': 'application/json', Origin: world.base }, body: JSON.stringify({ domain: who.domain, name, password: who.user.password }) })
    const [, named, value] = /^([^=]+)=([^;]+)/.exec(r.headers.get('set-cookie') ?? '') ?? []
    if (r.status !== 201 || named === undefined || value === undefined) throw new Error(`sign-in of ${name}: ${r.status} ${await r.text()}`)
    cookie = { name: named, value, domain: new URL(world.base).hostname, path: '/', expires: -1, httpOnly: true, secure: false, sameSite: 'Lax' }
    world.kept.set(key, cookie)
  }
  await page.context().addCookies([cookie])
}

/** A customer's browser at a place of the console; '' opens nothing yet. */
export async function signIn(page: Page, world: World, name: string, domain = 0, to = '/console'): Promise<void> {
  await known(page, world, name, domain)
  if (to !== '') await page.goto(to)
}

/** An engineer's browser at a place of the desk; '' opens nothing yet. */
export async function signInHouse(page: Page, world: World, name: string, to = '/desk'): Promise<void> {
  await known(page, world, name)
  if (to === '') return
  await page.goto(to)
  await expect(page.locator('nav li').first()).toBeAttached()
}

/** The page that is opened next has its stream of live events: await it behind the page's own signs. */
export async function streams(page: Page): Promise<void> {
  await page.waitForResponse((r) => r.url().endsWith('/web/v1/events') && r.status() === 200)
}

/** Signs a customer in by the page; the session is this browser's own. */
export async function throughPage(page: Page, world: World, name: string, domain = 0): Promise<void> {
  const who = person(world, name, domain)
  await page.goto('/login')
  await page.locator('#domain').fill(who.domain ?? '')
  await page.locator('#name').fill(name)
  await page.locator('#password').fill(who.user.password)
  await page.locator('button[type=submit]').click()
  await page.waitForURL((u) => u.pathname.startsWith('/console'))
}

/** Signs a person of the house in by the page; the session is this browser's own. */
export async function throughPageHouse(page: Page, world: World, name: string): Promise<void> {
  await page.goto('/login?next=/desk')
  await page.locator('#name').fill(name)
  await page.locator('#password').fill(person(world, name).user.password)
  await page.locator('button[type=submit]').click()
  await page.waitForURL((u) => u.pathname.startsWith('/desk')) // the sign-in's own address names it too
  await expect(page.locator('nav li').first()).toBeAttached()
}

/** The code of an authenticator app (RFC 6238) at an instant. */
export function totp(secret: string, at: number): string {
  const bits = [...secret.replace(/=+$/, '')].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((b) => parseInt(b, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)))
  const mac = createHmac('sha1', key).update(counter).digest()
  const from = (mac.at(-1) ?? 0) & 15
  return String((mac.readUInt32BE(from) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

export const test = base.extend<{ faults: Faults }, { world: World }>({
  world: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const { world, stop } = await start()
      await use(world)
      await stop()
    },
    { scope: 'worker', timeout: 60_000 },
  ],
  baseURL: async ({ world }, use) => use(world.base),
  faults: [
    async ({ context, world }, use) => {
      const faults: Faults = { list: [], allow: [] }
      watch(context, world.base, faults)
      await use(faults)
      expect(faults.list.filter((f) => !faults.allow.some((a) => a.test(f)))).toEqual([])
    },
    { auto: true },
  ],
})
export { expect }
