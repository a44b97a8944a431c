// Hostile articles, read by a browser's own parser: kit/knowledge/prose.ts lets
// nothing through but the elements and attributes that it names.
import { expect, test } from '@playwright/test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const x = 'window.ran=1'
const addresses = [
  'javascript:window.ran=1', 'JaVaScRiPt:window.ran=1', ' javascript:window.ran=1', '\tjavascript:window.ran=1', 'java\nscript:window.ran=1', 'java\tscript:window.ran=1', 'java\rscript:window.ran=1',
  '&#106;avascript:window.ran=1', '&#x6A;avascript:window.ran=1', '&#0000106avascript:window.ran=1', 'javascript&colon;window.ran=1', 'javascript&#58;window.ran=1', 'java&Tab;script&colon;window.ran=1', 'java&NewLine;script:window.ran=1',
  '&#1;javascript:window.ran=1', '\u0001javascript:window.ran=1', '\u00a0javascript:window.ran=1', '\ufeffjavascript:window.ran=1', 'javascript://%0awindow.ran=1', 'javascript:/*https://a.example*/window.ran=1', 'feed:javascript:window.ran=1', 'view-source:javascript:window.ran=1',
  'data:text/html,<script>window.ran=1</script>', 'DATA:text/html;base64,PHNjcmlwdD4xPC9zY3JpcHQ+', 'd&#97;ta:text/html,x', 'vbscript:msgbox(1)', 'blob:https://a.example/1', 'filesystem:https://a.example/1', 'file:///etc/passwd', 'about:blank', 'tel:1', '//a.example/x', '/desk/admin', '../x', '#x', '', 'https:', 'http://', 'https://[', 'ｊavascript:window.ran=1',
]
const fragments = [
  `<script>${x}</script>`, `<SCRIPT SRC=https://evil.example/x.js></SCRIPT>`, `<scr<script>ipt>${x}</scr</script>ipt>`, `<script/x>${x}</script>`, `<p><script type=module>${x}</script>t</p>`, `<pre><script>${x}</script></pre>`,
  `<img src=https://evil.example/x onerror="${x}">`, `<img src=x:x onerror=${x}>`, `<img/src=x:/onerror=${x}>`, `<image src=x: onerror=${x}>`, `<body onload=${x}>`, `<p onclick="${x}" ONMOUSEOVER='${x}' style="background:url(https://evil.example)" id=x class=y>t</p>`,
  `<a href=https://a.example onclick=${x} onfocus=${x} autofocus tabindex=1 style=x target=_self rel=opener ping=https://evil.example download>t</a>`, `<td onclick=${x} align="right&quot; onclick=x">t</td>`, `<table background=https://evil.example><tr><td background=https://evil.example align=right width=1 onclick=${x}>t</table>`, `<ol start="1&quot; onclick=1" type=i reversed onclick=${x}><li value=3 onclick=${x}>t</ol>`,
  `<svg onload=${x}></svg>`, `<svg><script>${x}</script></svg>`, `<svg><a xlink:href="javascript:${x}"><text>t</text></a></svg>`, `<svg><animate onbegin=${x} attributeName=x dur=1s>`, `<svg><foreignObject><p onclick=${x}>t</p><iframe srcdoc="x"></iframe></foreignObject></svg>`, `<svg><style><img src=x: onerror=${x}></style></svg>`, `<svg><use href="data:image/svg+xml,x#x"/></svg>`, `<svg></p><style><a id="</style><img src=x: onerror=${x}>">`, `<svg><set attributeName=onclick to=${x}><desc><a href=javascript:${x}>t</a></desc></svg>`,
  `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x: onerror=${x}&gt;">`, `<math href="javascript:${x}">t</math>`, `<math><maction actiontype="statusline#http://x" xlink:href="javascript:${x}">t`, `<math><mi><a href="javascript:${x}">t</a></mi></math>`, `<math><annotation-xml encoding="text/html"><script>${x}</script><p onclick=${x}>t</annotation-xml></math>`, `<form><math><mtext></form><form><mglyph><style></math><img src=x: onerror=${x}>`,
  `<iframe src="javascript:${x}"></iframe>`, `<iframe srcdoc="<script>parent.ran=1</script>"></iframe>`, `<iframe src=https://evil.example>`, `<frameset onload=${x}><frame src="javascript:${x}"></frameset>`, `<object data="javascript:${x}"><p>t</p></object>`, `<embed src="javascript:${x}">`, `<applet code=x><param name=x value=y></applet>`, `<portal src=https://evil.example></portal>`, `<fencedframe></fencedframe>`,
  `<style>@import 'https://evil.example';body{display:none}</style>`, `<style><img src="</style><img src=x: onerror=${x}>">`, `<link rel=stylesheet href=https://evil.example>`, `<link rel=prefetch href=https://evil.example>`, `<base href="javascript:/a/"><a href="x">t</a>`, `<base href="https://evil.example/"><a href="x">t</a>`, `<base target=_self>`, `<meta http-equiv=refresh content="0;url=https://evil.example">`, `<meta http-equiv=Set-Cookie content=a>`, `<meta charset=utf-7>+ADw-script+AD4-${x}`,
  `<noscript><p title="</noscript><img src=x: onerror=${x}>"></noscript>`, `<title><p title="</title><img src=x: onerror=${x}>">`, `<textarea><p title="</textarea><img src=x: onerror=${x}>">`, `<xmp><p title="</xmp><img src=x: onerror=${x}>">`, `<noembed><p title="</noembed><img src=x: onerror=${x}>">`, `<template><script>${x}</script><p onclick=${x}>t</p></template>`, `<template shadowrootmode=open><script>${x}</script></template>`, `<plaintext><script>${x}</script>`, `<!--><script>${x}</script>-->`, `<!--[if IE]><script>${x}</script><![endif]-->`, `<![CDATA[<script>${x}</script>]]>`, `<?xml-stylesheet href="javascript:${x}"?>`, `</p onclick=${x}><p>t`, `<p title="<script>${x}</script>">t</p>`,
  `<form action="javascript:${x}"><button formaction="javascript:${x}">t</button><input type=image src=x: onerror=${x}><input name=body></form>`, `<input autofocus onfocus=${x}>`, `<select autofocus onfocus=${x}><option>t</select>`, `<keygen autofocus onfocus=${x}>`, `<isindex action="javascript:${x}">`, `<button popovertarget=x>t</button><p popover id=x onbeforetoggle=${x}>t</p>`,
  `<video src=https://evil.example onerror=${x}><source onerror=${x}></video>`, `<audio src=x: onerror=${x}></audio>`, `<details open ontoggle=${x}><summary>t</summary></details>`, `<marquee onstart=${x}>t</marquee>`, `<bgsound src="javascript:${x}">`, `<dialog open onclose=${x}>t</dialog>`, `<picture><source srcset="https://evil.example/1"><img srcset="https://evil.example/2" onerror=${x}></picture>`, `<slot onslotchange=${x}>t</slot>`, `<custom-element onclick=${x}>t</custom-element>`, `<p is=x-y onclick=${x}>t</p>`, `<area href="javascript:${x}"><map name=x><area href="javascript:${x}"></map>`,
  `<a href="https://a.example"><a href="javascript:${x}">t</a></a>`, `<table><a href="javascript:${x}">t<tr><td><script>${x}</script></table>`, `<b><p><i></b><script>${x}</script></p></i>`, `<p/onclick=${x}/x>t`, `<p\fonclick=${x}>t`, `<p "onclick=${x}>t`, `<a href='https://a.example' href='javascript:${x}'>t</a>`, `<a HREF="javascript:${x}" href="https://a.example">t</a>`, `${'<blockquote>'.repeat(500)}<script>${x}</script><p onclick=${x}>t`, `${'<div>'.repeat(300)}<a href="javascript:${x}">t`, `<a name=x href>t</a>`, `\0<scr\0ipt>${x}</scr\0ipt>`, `<a href="https://a.example" xlink:href="javascript:${x}" xml:base="javascript:${x}">t</a>`,
  ...addresses.map((a) => `<a href="${a.replaceAll('"', '&quot;')}">t</a>`),
]

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
