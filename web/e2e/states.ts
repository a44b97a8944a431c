// Every address of the lists in every state: its API fails, refuses, is slow,
// has nothing, one answer of it is missing, there is no network. Whatever
// comes, the page says so in the reader's language, offers a way on that works,
// keeps what was typed, and axe finds nothing.
import type { BrowserContext, Page, Route } from '@playwright/test'
import { axeClean } from './axe'
import { expect, type Faults } from './world'

export interface Look {
  language: 'zh-cn' | 'en-us'
  theme: 'light' | 'dark'
  width: number
}
/** A screen by its address, how to get there by hand, and what it asks for. */
interface Place {
  name: string
  url: string
  asks: string[]
}
export interface Subject {
  name: string
  go: (page: Page) => Promise<void>
}

type Mode = { kind: 'pass' | 'fail' | 'busy' | 'refuse' | 'slow' | 'empty' } | { kind: 'one'; path: string }

const api = /\/(v2|desk\/v1|web\/v1)\/(?!session$|events)/
const frame = /\/(me\/shift|queues|views|authorizations)$/ // what the desk's frame asks for beside each screen
const pathOf = (url: string) => new URL(url).pathname

export class States {
  private mode: Mode = { kind: 'pass' }
  private readonly wrong: string[] = []
  private asked = new Set<string>()
  private readonly framed = new Set<string>() // what the frame asks for on every page, looked at once
  private open = 0
  private at = ''
  private readonly seen = new Set<string>()

  constructor(
    private readonly page: Page,
    private readonly context: BrowserContext,
    faults: Faults,
  ) {
    faults.allow.push(/Failed to load resource/, /net::ERR_/) // what is provoked; an exception or another message is a fault
  }

  async start(): Promise<void> {
    this.page.on('pageerror', (e) => this.wrong.push(`${this.at}: an exception: ${e.name} ${e.message} ${e.stack ?? ''}`))
    await this.context.route(api, (r) => this.answer(r))
    await this.page.addInitScript(() => {
      const w = window as unknown as { jumped: number }
      w.jumped = 0
      new PerformanceObserver((list) => {
        for (const e of list.getEntries() as unknown as { value: number; hadRecentInput: boolean }[]) if (!e.hadRecentInput) w.jumped += e.value
      }).observe({ type: 'layout-shift', buffered: true })
    })
  }

  private async answer(r: Route): Promise<void> {
    const path = pathOf(r.request().url())
    this.asked.add(path)
    const mode = this.mode
    this.open++
    const failed = (status: number, headers: Record<string, string> = {}) =>
      r.fulfill({ status, json: status === 403 ? { error_code: 'OSM.01010002', error_msg: /^zh/.test(r.request().headers()['x-language'] ?? 'zh') ? '没有操作权限' : 'No operation permission.' } : { error_code: 'OSM.0005', error_msg: 'x' }, headers: { 'X-Request-Id': 'e0e0e0', ...headers } })
    try {
      if (mode.kind === 'fail') return await failed(500)
      if (mode.kind === 'busy') return await failed(503, { 'Retry-After': '1' })
      if (mode.kind === 'refuse' || (mode.kind === 'one' && mode.path === path)) return await failed(403)
      if (mode.kind === 'slow') await new Promise((go) => setTimeout(go, 700))
      if (mode.kind === 'empty' && r.request().method() === 'GET') {
        const answer = await r.fetch()
        if (!answer.ok() || !(answer.headers()['content-type'] ?? '').includes('json')) return await r.fulfill({ response: answer })
        return await r.fulfill({ response: answer, json: emptied(await answer.json()) })
      }
      await r.continue()
    } catch {
      // The page went on meanwhile.
    } finally {
      this.open--
    }
  }

  private async settled(): Promise<void> {
    const { page } = this
    await expect(page.locator('main').first()).toBeAttached()
    await expect(async () => {
      expect(this.open).toBe(0)
      await page.waitForTimeout(60)
      expect(this.open).toBe(0)
      expect(await page.locator('[aria-busy=true]').filter({ visible: true }).count(), 'still loading').toBe(0)
    }).toPass({ timeout: 15_000, intervals: [50, 100, 250] })
  }

  private failures() {
    return this.page.locator('.failed').filter({ visible: true })
  }

  /** Runs one check; what is wrong is noted with its place, and the next one follows. */
  private async check(what: string, run: () => Promise<void>): Promise<void> {
    const began = Date.now()
    this.at = what
    try {
      await run()
      if (process.env.STATE_SHOTS !== undefined) console.log(what, Date.now() - began)
    } catch (e) {
      if (process.env.STATE_SHOTS !== undefined) console.log('WRONG', what, Date.now() - began, String(e).slice(0, 1200))
      this.wrong.push(`${what}: ${(e instanceof Error ? e.message : String(e)).replace(/\u001b\[\d+m/g, '').split('\n').slice(0, 14).join('\n  ')}`)
      if (process.env.STATE_SHOTS !== undefined) await this.page.screenshot({ path: `${process.env.STATE_SHOTS}/${what.replace(/[^\w-]+/g, '_').slice(0, 90)}.png` }).catch(() => undefined)
    }
  }

  private async shot(name: string): Promise<void> {
    if (process.env.STATE_SHOTS !== undefined) await this.page.screenshot({ path: `${process.env.STATE_SHOTS}/${name}.png` })
  }

  /** Nothing blank, nothing that turns for ever, and no word of the other language in what is said. */
  private async readable(look: Look): Promise<void> {
    await this.settled()
    const text = (await this.page.locator('main').first().innerText()).trim()
    expect(text.length, 'the page is blank').toBeGreaterThan(0)
    const said = (await this.failures().allInnerTexts()).join('\n')
    if (look.language === 'en-us') expect(said).not.toMatch(/\p{Script=Han}/u)
    else expect(said).not.toMatch(/[A-Za-z]+ [A-Za-z]+ [A-Za-z]+/)
    expect(await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 'scrolls sideways').toBeLessThanOrEqual(0)
  }

  /** All states of a place in one look; `few`: that it fails, comes again, and is off for a while. */
  async walk(subject: Subject, look: Look, few = false): Promise<void> {
    const { page } = this
    this.mode = { kind: 'pass' }
    const w = `${subject.name} ${look.language} ${look.width}`
    let place: Place | undefined
    await this.check(`${w} healthy`, async () => {
      await page.setViewportSize({ width: look.width, height: look.width < 500 ? 844 : 900 })
      await subject.go(page)
      await page.unrouteAll({ behavior: 'ignoreErrors' })
      place = { name: subject.name, url: page.url(), asks: [] }
    })
    if (place === undefined || this.seen.has(place.url)) return // a layer over an address that was looked at
    this.seen.add(place.url)
    const { url } = place
    await this.check(`${w} reload`, async () => {
      this.asked = new Set()
      await page.goto(url)
      await this.settled()
      await page.waitForTimeout(150)
      await this.settled()
    })
    const asks = [...this.asked].filter((a) => !a.endsWith('/preferences'))
    const own = asks.filter((a) => !frame.test(a) || (subject.name === 'shift' && a.endsWith('/me/shift')))
    const gone = await this.failures().count() // an address of nothing says so at any time

    // All of it fails; again, and it is there. The page's own requests, not only the frame's.
    this.mode = { kind: this.seen.size % 2 === 0 ? 'fail' : 'busy' }
    await this.check(`${w} ${this.mode.kind}`, async () => {
      await page.goto(url)
      if (own.length > 0) await expect(this.failures().or(page.locator('main .stale')).first(), 'nothing says what is wrong').toBeVisible({ timeout: 15_000 })
      await this.readable(look)
      await this.shot(`${subject.name}-fail-${look.language}-${look.width}`)
      await axeClean(page, `${w} fails`)
    })
    this.mode = { kind: 'pass' }
    if (gone === 0)
      await this.check(`${w} again`, async () => {
        for (let i = 0; i < 12 && (await this.failures().count()) > 0; i++) {
          const again = this.failures().locator('button').filter({ hasText: /^(重试|Try again|Retry)$/ }).first()
          await again.focus()
          await page.keyboard.press('Enter')
          await this.settled()
          await page.waitForTimeout(50)
          expect(await page.evaluate(() => document.activeElement !== null && document.activeElement !== document.body), 'the focus is lost').toBe(true)
        }
        await expect(this.failures()).toHaveCount(0)
        await expect(page.getByRole('heading', { level: 1 }).first()).toBeAttached()
      })

    if (few) return this.offline(w, url, look)
    // Not allowed: said at once.
    this.mode = { kind: 'refuse' }
    await this.check(`${w} refused`, async () => {
      await page.goto(url)
      await this.readable(look)
      await this.shot(`${subject.name}-refuse-${look.language}-${look.width}`)
      await axeClean(page, `${w} refused`)
    })

    // One answer of it is missing: the rest is there.
    for (const path of asks.filter((a) => !this.framed.has(a))) {
      if (frame.test(path)) this.framed.add(path)
      this.mode = { kind: 'one', path }
      await this.check(`${w} without ${path}`, async () => {
        await page.goto(url)
        await this.readable(look)
        await expect(page.locator('main h1').first()).toBeAttached()
      })
    }

    // Slow: the frame stands, something says that it is coming, nothing jumps.
    this.mode = { kind: 'slow' }
    await this.check(`${w} slow`, async () => {
      await page.goto(url)
      await page.waitForTimeout(350)
      await this.shot(`${subject.name}-slow-${look.language}-${look.width}`)
      if (asks.length > 0) expect((await page.locator('main').innerText()).length + (await page.locator('[aria-busy=true]').count()), 'nothing while it loads').toBeGreaterThan(0)
      await this.settled()
      await page.waitForTimeout(900)
      await this.settled()
      expect(await page.evaluate(() => (window as unknown as { jumped: number }).jumped), 'the page jumps').toBeLessThan(0.1)
    })

    // Nothing yet.
    this.mode = { kind: 'empty' }
    await this.check(`${w} empty`, async () => {
      await page.goto(url)
      await this.readable(look)
      await this.shot(`${subject.name}-empty-${look.language}-${look.width}`)
      await axeClean(page, `${w} empty`)
    })

    await this.offline(w, url, look)
  }

  /** Off and on again: what was loaded and typed stays. */
  private async offline(w: string, url: string, look: Look): Promise<void> {
    const { page } = this
    this.mode = { kind: 'pass' }
    await this.check(`${w} offline`, async () => {
      await page.goto(url)
      await this.settled()
      const field = page.locator('main').locator('textarea:visible:enabled, input[type=text]:visible:enabled, input:not([type]):visible:enabled').first()
      const typed = (await field.count()) > 0 && (await field.isEditable())
      if (typed) await field.fill('42')
      const before = (await page.locator('main').innerText()).length
      try {
        await this.context.setOffline(true)
        await expect(page.locator('.offline')).toBeVisible()
        await this.readable(look)
        expect((await page.locator('main').innerText()).length, 'what was loaded is gone').toBeGreaterThan(before / 2)
        await axeClean(page, `${w} offline`)
      } finally {
        await this.context.setOffline(false)
      }
      await expect(page.locator('.offline')).toHaveCount(0)
      await this.settled()
      if (typed) expect(await field.inputValue(), 'what was typed is gone').toBe('42')
    })
  }

  end(): void {
    expect(this.wrong.join('\n')).toBe('')
  }
}

/** The same answer with nothing in it. */
function emptied(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return Array.isArray(body) ? [] : body
  return Object.fromEntries(Object.entries(body).map(([k, v]) => [k, Array.isArray(v) ? [] : /^(total_)?count$/.test(k) ? 0 : k === 'next' || k === 'cursor' ? undefined : v]))
}
