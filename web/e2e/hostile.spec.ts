// Hostile texts through the real pages: articles, messages and the editor's
// preview, by the shipped program with its policy. And once more as if the
// server let everything through, so that what the pages do stands by itself.
import { type Page } from '@playwright/test'
import { customer, problemType, source } from './api'
import { html, vectors } from './hostile'
import { expect, signIn, signInHouse, test, type World } from './world'

/** From the page's first moment: what ran, what the policy stopped. */
const guard = (page: Page) =>
  page.addInitScript(() => {
    Object.assign(window, { stopped: [] as string[] })
    addEventListener('securitypolicyviolation', (e) => (window as unknown as { stopped: string[] }).stopped.push(`${e.violatedDirective} ${e.blockedURI}`))
  })

const tags = 'p br hr h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong del table thead tbody tr th td a div'.split(' ')
/** Attributes that may stand, and what in them. */
const attributes: Record<string, string> = {
  'a href': '^(https?|mailto):', 'a target': '^_blank$', 'a rel': '^(nofollow )?noreferrer noopener$', 'ol start': '^\\d{1,6}$', 'th data-align': '^(center|right)$', 'td data-align': '^(center|right)$',
  'pre tabindex': '^0$', 'div tabindex': '^0$', 'div role': '^group$', 'div aria-label': '.',
}

/**
 * Looks at all texts of a page, by everything that must not be. inert: the page
 * reads hostile HTML in a document that runs nothing, and the browser reports the
 * handlers, styles and bases that it would have stopped there.
 */
async function inspect(page: Page, where: string, selector: string, inert = false): Promise<string> {
  const seen = await page.evaluate(
    async ([selector, tags, attributes]) => {
      const wrong: string[] = []
      const own = new Set([...document.querySelectorAll('script')].map((s) => s.src).filter((s) => s.startsWith(location.origin)))
      let text = ''
      for (const box of document.querySelectorAll(selector)) {
        text += `${box.textContent ?? ''}\n`
        for (const e of box.querySelectorAll('*')) {
          const tag = e.tagName.toLowerCase()
          if (!tags.includes(tag) || e.namespaceURI !== 'http://www.w3.org/1999/xhtml') wrong.push(`element ${e.outerHTML.slice(0, 120)}`)
          for (const a of e.attributes) {
            if (a.name === 'class' && /^(svelte-\w+|ordered|wide|\s)+$/.test(a.value)) continue
            const form = attributes[`${tag} ${a.name}`]
            if (form === undefined || !new RegExp(form, 'i').test(a.value)) wrong.push(`attribute ${tag} ${a.name}=${a.value.slice(0, 80)}`)
          }
          if (e instanceof HTMLAnchorElement && e.hasAttribute('href') && !/^(https?|mailto):$/.test(e.protocol)) wrong.push(`link ${e.href}`)
          // A finger on it: nothing handles it, nothing runs.
          for (const kind of ['mouseover', 'focus', 'mouseenter']) e.dispatchEvent(new Event(kind, { bubbles: kind === 'mouseover' }))
        }
      }
      const all = document.querySelectorAll('iframe, frame, object, embed, applet, base, meta[http-equiv], template, form[action], math, img[onerror], [srcdoc], [autofocus], [name=cookie]')
      for (const e of all) wrong.push(`in the page ${e.outerHTML.slice(0, 120)}`)
      for (const s of document.querySelectorAll('script')) if (!own.has(s.src)) wrong.push(`script ${s.outerHTML.slice(0, 120)}`)
      for (const s of document.querySelectorAll('link')) if (!s.href.startsWith(location.origin) && !s.href.startsWith('data:image')) wrong.push(`link ${s.outerHTML.slice(0, 120)}`)
      // The page's own names are what they were.
      const is = { body: document.body === document.querySelector('html > body'), cookie: typeof document.cookie === 'string', forms: document.forms instanceof HTMLCollection, byId: typeof document.getElementById === 'function', make: typeof document.createElement === 'function', fetch: typeof window.fetch === 'function', top: window.top === window, self: window.self === window, where: typeof location.assign === 'function', frames: window.length === 0, shape: Object.getPrototypeOf({}) === Object.prototype && ({} as { polluted?: unknown }).polluted === undefined }
      for (const [name, ok] of Object.entries(is)) if (!ok) wrong.push(`the page's ${name}`)
      await new Promise((r) => setTimeout(r, 30))
      const w = window as unknown as { ran?: unknown; stopped: string[] }
      return { wrong, text, ran: w.ran !== undefined, stopped: w.stopped }
    },
    [selector, tags, attributes] as const,
  )
  expect(seen.ran, `${where}: a script ran`).toBe(false)
  expect(seen.stopped.filter((s) => !inert || !/^(script-src-attr inline|style-src-attr inline|style-src-elem inline|base-uri .*)$/.test(s)), `${where}: the policy had to stop something`).toEqual([])
  expect(seen.wrong, where).toEqual([])
  return seen.text
}

const mark = (i: number) => `M${i}E`
/** Whether a mark stands by itself: the text before it was closed. */
const shows = (text: string, i: number) => new RegExp(`M${i}E`).test(text)

/** What the server takes, apart by whether it closes what it opens. */
async function sorted(world: World): Promise<{ closed: string[]; open: string[]; refused: number }> {
  const chen = await world.desk('chen')
  const out = { closed: [] as string[], open: [] as string[], refused: 0 }
  let next = 0
  const work = async () => {
    for (let i = next++; i < vectors.length; i = next++) {
      const v = vectors[i] ?? ''
      try {
        const got = (await chen.call('POST', '/desk/v1/article-preview', { text: `${v}\n\n${mark(i)}` })) as { html: string }
        if (got.html.includes(`<p>${mark(i)}</p>`)) out.closed.push(v)
        else out.open.push(v)
      } catch {
        out.refused++ // control characters are no text
      }
    }
  }
  await Promise.all(Array.from({ length: 8 }, work))
  return out
}

/** Texts of at most so many characters: vectors with their marks, an open one at the end of each. */
function texts(closed: string[], open: string[], most: number): { text: string; marks: number[] }[] {
  const out: { text: string; marks: number[] }[] = []
  let now = { text: '', marks: [] as number[] }
  const cut = (last: string) => {
    out.push({ text: now.text + last, marks: now.marks })
    now = { text: '', marks: [] }
  }
  const rest = [...open]
  closed.forEach((v, i) => {
    const one = `${v}\n\n${mark(i)}\n\n`
    if (now.text.length + one.length > most) cut(rest.pop() ?? '')
    now.text += one
    now.marks.push(i)
  })
  cut(rest.pop() ?? '')
  for (const v of rest) cut(v)
  return out
}

test('hostile articles, messages and previews: nothing runs, nothing loads, nothing but what is allowed', async ({ page, world }) => {
  test.setTimeout(180_000)
  const { closed, open, refused } = await sorted(world)
  expect(closed.length + open.length).toBeGreaterThanOrEqual(400)
  expect(refused).toBeLessThan(30)
  await guard(page)

  // Articles: written by the API, read by a customer and by an engineer.
  const chen = await world.desk('chen')
  const bodies = texts(closed, open, 40_000)
  const slugs: string[] = []
  for (let i = 0; i < bodies.length; i += 2) {
    const slug = `hostile-${i}`
    const words = (j: number) => ({ title: `敌意文本 ${i + j}`, summary: '<script>window.ran=1</script>', body: bodies[i + j]?.text ?? '空' })
    const made = (await chen.call('POST', '/desk/v1/articles', { slug, visibility: 'customers', zh: words(0), en: words(1) })) as { revision: number }
    await chen.call('POST', `/desk/v1/articles/${slug}/steps`, { do: 'publish', revision: made.revision })
    slugs.push(slug)
  }
  await signIn(page, world, 'lihua', 0, '')
  for (const [k, slug] of slugs.entries())
    for (const [j, lang] of ['zh-cn', 'en-us'].entries()) {
      await page.goto(`/console/articles/${slug}?lang=${lang}`)
      await expect(page.getByRole('heading', { level: 1, name: `敌意文本 ${2 * k + j}` })).toBeVisible()
      const text = await inspect(page, `article ${slug} ${lang}`, '.prose')
      expect((bodies[2 * k + j]?.marks ?? []).filter((m) => !shows(text, m))).toEqual([])
    }

  // A ticket whose description and messages are hostile, for both sides.
  const api = await customer(world, 'lihua')
  const { incident_id: ticket } = (await api.call('POST', '/v2/servicerequest/cases', { business_type_id: await problemType(api), source_id: source, simple_description: `敌意的描述 <svg onload=window.ran=1> <img src=x: onerror=window.ran=1> [t](javascript:window.ran=1)\n\`\`\`\n<script>echo 1</script>\n\`\`\`` })) as { incident_id: string }
  const words = texts(closed, open.slice(0, 4), 9_000)
  for (const w of words) await api.call('POST', `/v2/servicerequest/cases/${ticket}/message`, { message: { content: w.text } })
  const told = words.flatMap((w) => w.marks)
  // What somebody wrote is text to the letter, tags and what stands between them.
  const all = (text: string) => expect(told.filter((m) => !shows(text, m))).toEqual([])
  await page.goto(`/console/tickets/${ticket}`)
  await expect(page.locator('.msg').nth(words.length - 1)).toBeVisible()
  const seen = await inspect(page, 'ticket in the console', '.rich')
  all(seen)
  expect(seen).toContain('敌意的描述 <svg onload=window.ran=1> <img src=x: onerror=window.ran=1> [t](javascript:window.ran=1)')
  expect(seen).toContain('<script>echo 1</script>')
  await expect(page.getByRole('heading', { level: 1 })).toContainText('敌意的描述 <svg onload=window.ran=1> <img')

  await page.context().clearCookies()
  await signInHouse(page, world, 'chen', `/desk/t/${ticket}`)
  await expect(page.locator('main .msg').nth(words.length)).toBeVisible()
  all(await inspect(page, 'ticket on the desk', '.rich'))

  // The desk's article and its editor's preview, where it is typed.
  await page.goto(`/desk/knowledge/${slugs[0] ?? ''}`)
  await expect(page.locator('.prose').first()).toBeVisible()
  await inspect(page, 'article on the desk', '.prose')
  await page.goto('/desk/knowledge/new')
  const zh = page.getByRole('region', { name: '中文', exact: true })
  await zh.getByLabel('标题').fill('<img src=x: onerror=window.ran=1>')
  // As a paste, which Chromium puts in at once; fill() lets it type 40,000 characters.
  await zh.getByLabel('正文').evaluate((e: HTMLTextAreaElement, text) => {
    e.value = text
    e.dispatchEvent(new InputEvent('input', { bubbles: true, inputType: 'insertFromPaste' }))
  }, bodies[0]?.text ?? '')
  await zh.getByRole('button', { name: '预览' }).click()
  await expect(zh.locator('.prose')).toBeVisible()
  const text = await inspect(page, 'preview', '.prose')
  expect((bodies[0]?.marks ?? []).filter((m) => !shows(text, m))).toEqual([])
})

test('hostile HTML in the answer itself: the page makes nothing of it but what is allowed', async ({ page, world, faults }) => {
  test.setTimeout(90_000)
  faults.allow.push(/console: (Executing inline event handler|Applying inline style|Setting the document's base URI to '[^']*') violates/) // in the document that is only read
  await guard(page)
  const given = new Map<string, string>()
  await page.route('**/web/v1/articles/raw-*', (r) => {
    const slug = /raw-[^?/]+/.exec(r.request().url())?.[0] ?? ''
    return r.fulfill({ json: { slug, title: slug, language: 'zh-cn', fallback: false, languages: ['zh-cn'], tags: [], published_at: '2026-01-01T00:00:00Z', html: given.get(slug) ?? '' } })
  })
  await signIn(page, world, 'lihua', 0, '/console/articles')
  // Those that close what they open, together; the others by themselves.
  const closed = await page.evaluate((all) => all.map((v) => new DOMParser().parseFromString(`<div>${v}</div><i id=e></i>`, 'text/html').querySelector('body > i#e:last-child') !== null), html)
  const together = html.filter((_, i) => closed[i])
  const alone = html.filter((_, i) => !closed[i])
  expect(together.length).toBeGreaterThan(150)
  given.set('raw-all', together.map((v, i) => `<div>${v}</div><p>${mark(i)}</p>`).join('\n'))
  alone.forEach((v, i) => given.set(`raw-${i}`, `<p>${mark(i)}</p>${v}`))
  const show = async (slug: string) => {
    await page.evaluate((to) => {
      history.pushState({}, '', to)
      dispatchEvent(new PopStateEvent('popstate', { state: {} }))
    }, `/console/articles/${slug}`)
    await expect(page.getByRole('heading', { level: 1, name: slug, exact: true })).toBeVisible()
  }
  await show('raw-all')
  const text = await inspect(page, 'all that close', '.prose', true)
  expect(together.map((_, i) => i).filter((i) => !shows(text, i))).toEqual([])
  for (const [i, v] of alone.entries()) {
    await show(`raw-${i}`)
    expect(shows(await inspect(page, v.slice(0, 120), '.prose', true), i), v.slice(0, 120)).toBe(true)
  }
})
