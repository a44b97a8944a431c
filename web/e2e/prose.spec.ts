// Hostile articles, read by a browser's own parser: kit/knowledge/prose.ts lets
// nothing through but the elements and attributes that it names.
import { expect, test } from '@playwright/test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { addresses, fragments } from './hostile'

interface Seen {
  tags: string[]
  attributes: [tag: string, name: string, value: string][]
  made: number
  ran: boolean
}

test('hostile articles leave nothing but what is allowed', async ({ page }) => {
  expect(fragments.length).toBeGreaterThan(120)
  const asked: string[] = []
  await page.route('**/*', (route) => (asked.push(route.request().url()), route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>t</title>' })))
  await page.goto('http://page.example/kb/1') // answered above: relative addresses have something to be relative to
  asked.length = 0
  const code = ts.transpileModule(readFileSync(join(import.meta.dirname, '../kit/knowledge/prose.ts'), 'utf8'), { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 } }).outputText.replace(/^export /gm, '')
  await page.addScriptTag({ content: `${code}\nwindow.readProse = readProse` })

  const seen = await page.evaluate(async (list) => {
    type N = { tag: string; text: string; attributes: Record<string, string>; children: N[] }
    const w = window as unknown as { readProse: (html: string, top: number) => N[]; ran?: number }
    const out: Seen[] = []
    for (const html of list) {
      delete w.ran
      const s: Seen = { tags: [], attributes: [], made: 0, ran: false }
      // Nodes as Prose.svelte makes them, in the page.
      const make = (nodes: N[], to: Element) => {
        for (const n of nodes) {
          s.tags.push(n.tag)
          for (const [name, value] of Object.entries(n.attributes)) s.attributes.push([n.tag, name, value])
          if (n.tag === '') {
            to.append(n.text)
            continue
          }
          const e = document.createElement(n.tag)
          for (const [name, value] of Object.entries(n.attributes)) e.setAttribute(name, value)
          if (n.tag === 'pre') e.append(n.text)
          else make(n.children, e)
          to.append(e)
          s.made++
        }
      }
      const box = document.body.appendChild(document.createElement('div'))
      make(w.readProse(html, 2), box)
      for (const a of box.querySelectorAll('a[href]')) if (!/^(https?|mailto):$/.test((a as HTMLAnchorElement).protocol)) s.attributes.push(['a', 'followed', (a as HTMLAnchorElement).href])
      await new Promise((done) => setTimeout(done, 1))
      s.ran = w.ran !== undefined
      box.remove()
      out.push(s)
    }
    return out
  }, fragments)

  const allowed = /^(|p|br|hr|h[2-6]|ul|ol|li|blockquote|pre|code|em|strong|del|table|thead|tbody|tr|th|td|a)$/
  const values: Record<string, RegExp> = {
    'a href': /^\s*(https?:\/\/|mailto:)/i,
    'a target': /^_blank$/,
    'a rel': /^nofollow noreferrer noopener$/,
    'ol start': /^\d{1,6}$/,
    'th data-align': /^(center|right)$/,
    'td data-align': /^(center|right)$/,
  }
  for (const [i, s] of seen.entries()) {
    const html = (fragments[i] ?? '').slice(0, 120)
    expect(s.ran, html).toBe(false)
    expect(s.tags.filter((t) => !allowed.test(t)), html).toEqual([])
    expect(s.attributes.filter(([tag, name, value]) => !values[`${tag} ${name}`]?.test(value)), html).toEqual([])
  }
  // None of the odd addresses became a link, and nothing was loaded.
  const odd = seen.slice(-addresses.length)
  expect(odd.flatMap((s, i) => (s.attributes.length > 0 ? [addresses[i]] : []))).toEqual([])
  expect(asked).toEqual([])
  // It does read what is honest.
  const honest = await page.evaluate(() => (window as unknown as { readProse: (html: string, top: number) => unknown }).readProse('<h1>A</h1><p>b <a href="https://a.example/?q=1&amp;r=2">c</a></p><ol start="3"><li>d</li></ol>', 2))
  expect(JSON.stringify(honest)).toContain('"href":"https://a.example/?q=1&r=2","target":"_blank","rel":"nofollow noreferrer noopener"')
  expect(JSON.stringify(honest)).toContain('{"start":"3"}')
  // What is no text is not shown as text either.
  expect(await page.evaluate(() => JSON.stringify((window as unknown as { readProse: (html: string, top: number) => unknown }).readProse('<script>one</script><style>two</style><svg><text>three</text></svg><math><mi>four</mi></math><iframe>five</iframe>', 2)))).toBe('[]')
})
