// Markdown files of docs/ as trees, at build time. The pages make nodes of
// them, never HTML of strings; what is no Markdown of ours fails the build.
import GithubSlugger from 'github-slugger'
import { marked, type Token, type Tokens } from 'marked'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize, resolve } from 'node:path'
import { guides, suffix } from './guides'
import type { Block, Guide, Inline, Language } from './types'

// A bare address ends where Chinese punctuation begins.
marked.use({
  tokenizer: {
    url(src) {
      const m = /^https?:\/\/[^\s<>，。；：、！？（）《》“”]+/.exec(src)
      if (m === null) return /^(?:https?:\/\/|www\.)/.test(src) ? undefined : false
      const raw = m[0].replace(/[.,;:!?)*_~`'"]+$/, '')
      return { type: 'link', raw, text: raw, href: raw, tokens: [{ type: 'text', raw, text: raw }] }
    },
  },
})

export const docs = resolve(import.meta.dirname, '../../../docs')
export const fileOf = (id: string, language: Language) => join(docs, (guides.find((g) => g.id === id)?.file ?? id) + suffix[language])

/** Where a link of a file leads in the product: undefined when there is no such page. */
export function target(file: string, href: string): string | undefined {
  if (/^https?:/.test(href)) return href
  const [path = '', anchor] = href.split('#')
  const hash = anchor === undefined ? '' : `#${decodeURIComponent(anchor)}`
  const whole = path === '' ? file : normalize(join(dirname(file), decodeURIComponent(path)))
  const contract = /\/api\/(v2|iam|desk|web)\.yaml$/.exec(whole)
  if (contract !== null) return `/docs/api/${contract[1] ?? ''}`
  const guide = guides.find((g) => whole === join(docs, g.file + suffix['zh-cn']) || whole === join(docs, g.file + suffix['en-us']))
  return guide === undefined ? undefined : `/docs/guide/${guide.id}${hash}`
}

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: '\u00a0' }
const plain = (s: string) => s.replace(/&(?:#(\d+)|([a-z]+));/g, (whole, n: string | undefined, name: string | undefined) => (n !== undefined ? String.fromCodePoint(Number(n)) : (named[name ?? ''] ?? whole)))

function inline(tokens: Token[], file: string, operations: ReadonlySet<string>): Inline[] {
  const out: Inline[] = []
  const add = (s: string) => {
    const last = out.length - 1
    if (typeof out[last] === 'string') out[last] += s
    else out.push(s)
  }
  for (const t of tokens as Tokens.Generic[]) {
    switch (t.type) {
      case 'text':
      case 'escape':
        if (t.tokens !== undefined && t.type === 'text') for (const i of inline(t.tokens, file, operations)) typeof i === 'string' ? add(i) : out.push(i)
        else add(plain(t.text as string).replace(/\n/g, ' '))
        break
      case 'codespan':
        out.push({ k: 'code', t: plain(t.text as string), ...(operations.has(t.text as string) ? { op: t.text as string } : {}) })
        break
      case 'strong':
        out.push({ k: 'b', c: inline(t.tokens ?? [], file, operations) })
        break
      case 'em':
        out.push({ k: 'i', c: inline(t.tokens ?? [], file, operations) })
        break
      case 'br':
        out.push({ k: 'br' })
        break
      case 'link': {
        const c = inline(t.tokens ?? [], file, new Set())
        const href = target(file, t.href as string)
        if (href === undefined) out.push(...c)
        else out.push({ k: 'a', c, href, ...(href.startsWith('http') ? { out: true } : {}) })
        break
      }
      default:
        throw new Error(`${file}: ${t.type} is not handled: ${t.raw}`)
    }
  }
  // A line's end between two Chinese characters is no blank.
  return out.map((i) => (typeof i === 'string' ? i.replace(/([\p{Script=Han}，。；：、！？）】])\s(?=[\p{Script=Han}（【“])/gu, '$1') : i))
}

export function text(c: Inline[]): string {
  return c.map((i) => (typeof i === 'string' ? i : i.k === 'code' ? i.t : i.k === 'br' ? ' ' : text(i.c))).join('')
}

function blocks(tokens: Token[], file: string, slug: (s: string) => string, operations: ReadonlySet<string>): Block[] {
  const out: Block[] = []
  const line = (t: Token[] | undefined) => inline(t ?? [], file, operations)
  for (const t of tokens as Tokens.Generic[]) {
    switch (t.type) {
      case 'space':
      case 'def':
        break
      case 'html':
        if (!/^\s*<!--[\s\S]*-->\s*$/.test(t.raw)) throw new Error(`${file}: HTML: ${t.raw}`)
        break
      case 'heading': {
        const c = line(t.tokens)
        out.push({ k: 'h', d: t.depth as number, id: slug(text(c)), c })
        break
      }
      case 'paragraph':
      case 'text':
        out.push({ k: 'p', c: line(t.tokens ?? [t]) })
        break
      case 'code':
        out.push({ k: 'code', lang: (t.lang as string | undefined) ?? '', t: t.text as string })
        break
      case 'list':
        out.push({ k: 'list', from: t.ordered ? Number(t.start) : false, items: (t.items as Tokens.ListItem[]).map((i) => blocks(i.tokens, file, slug, operations)) })
        break
      case 'blockquote':
        out.push({ k: 'quote', c: blocks(t.tokens ?? [], file, slug, operations) })
        break
      case 'table': {
        const cells = (row: Tokens.TableCell[]) => row.map((c) => line(c.tokens))
        out.push({ k: 'table', head: cells(t.header as Tokens.TableCell[]), align: t.align as ('center' | 'left' | 'right' | null)[], rows: (t.rows as Tokens.TableCell[][]).map(cells) })
        break
      }
      case 'hr':
        out.push({ k: 'hr' })
        break
      default:
        throw new Error(`${file}: ${t.type} is not handled: ${t.raw.slice(0, 80)}`)
    }
  }
  return out
}

export const headings = (b: Block[]) => b.flatMap((x) => (x.k === 'h' ? [x] : []))

function parse(file: string, operations: ReadonlySet<string>): Block[] {
  const slugger = new GithubSlugger()
  return blocks(marked.lexer(readFileSync(file, 'utf8')), file, (s) => slugger.slug(s), operations)
}

/** A guide as the pages show it; operations are names that become links to their page. */
export function guide(id: string, language: Language, operations: ReadonlySet<string>): Guide {
  const all = parse(fileOf(id, language), operations)
  const first = all[0]
  if (first?.k !== 'h' || first.d !== 1) throw new Error(`${fileOf(id, language)} does not begin with a title`)
  const other = headings(parse(fileOf(id, language === 'zh-cn' ? 'en-us' : 'zh-cn'), operations))
  const own = headings(all)
  const alias: Record<string, string> = {}
  other.forEach((h, i) => {
    const here = own[i]
    if (here !== undefined && here.id !== h.id) alias[h.id] = here.id
  })
  return { title: text(first.c), blocks: all.slice(1), alias }
}
