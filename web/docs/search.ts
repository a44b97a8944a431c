// The index of guides and operations, built in the browser when somebody
// searches. Chinese is found from one character up: every character and every
// pair of neighbours is a term.
import MiniSearch from 'minisearch'
import { guides, loadContracts, loadGuide, loadOperations } from 'virtual:docs/index'
import type { Block, ContractId, Language } from './build/types'
import { plain } from './inline'

export interface Hit {
  id: string
  href: string
  title: string
  /** The guide, or the contract. */
  where: string
  contract?: ContractId
  method?: string
  text: string
}

/** Words in lower case, parts of names in camel case, and Chinese by one and two characters. */
export function terms(text: string, asked = false): string[] {
  const out: string[] = []
  for (const [run] of text.normalize('NFKC').matchAll(/\p{Script=Han}+|[\p{L}\p{N}]+/gu)) {
    if (/^\p{Script=Han}/u.test(run)) {
      const c = [...run]
      if (!asked || c.length === 1) out.push(...c)
      for (let i = 0; i + 1 < c.length; i++) out.push(`${c[i] ?? ''}${c[i + 1] ?? ''}`)
      continue
    }
    // Scripts meet without a blank: ECS续费.
    const word = run.replace(/\p{Script=Han}+/gu, (han) => {
      out.push(...terms(han, asked))
      return ' '
    })
    for (const w of word.split(' ').filter((w) => w !== '')) {
      out.push(w.toLowerCase())
      const parts = asked ? [] : w.split(/(?<=[a-z0-9])(?=[A-Z])/)
      if (parts.length > 1) out.push(...parts.map((p) => p.toLowerCase()))
    }
  }
  return out
}

function words(b: Block): string {
  switch (b.k) {
    case 'p':
      return plain(b.c)
    case 'code':
      return b.t
    case 'list':
      return b.items.map((i) => i.map(words).join(' ')).join(' ')
    case 'quote':
      return b.c.map(words).join(' ')
    case 'table':
      return [b.head, ...b.rows].map((r) => r.map(plain).join(' ')).join(' ')
    default:
      return ''
  }
}

async function documents(language: Language): Promise<Hit[]> {
  const out: Hit[] = []
  const loaded = await Promise.all(guides.map(async (g) => ({ g, guide: (await loadGuide[language][g.id]?.())?.default })))
  for (const { g, guide } of loaded) {
    if (guide === undefined) continue
    const title = g.title[language]
    let at: Hit = { id: g.id, href: `/docs/guide/${g.id}`, title, where: title, text: '' }
    out.push(at)
    for (const b of guide.blocks) {
      if (b.k === 'h') out.push((at = { id: `${g.id}#${b.id}`, href: `/docs/guide/${g.id}#${b.id}`, title: plain(b.c), where: title, text: '' }))
      else at.text += ` ${words(b)}`
    }
  }
  const contracts = (await loadContracts[language]()).default
  const described = await Promise.all(contracts.map(async (c) => (await loadOperations[language][c.id]()).default))
  contracts.forEach((c, i) => {
    for (const g of c.groups)
      for (const o of g.operations)
        out.push({
          id: `${c.id}/${o.id}`,
          href: `/docs/api/${c.id}/${o.id}`,
          title: `${o.summary} ${o.id}`,
          where: g.label,
          contract: c.id,
          method: o.method,
          text: [described[i]?.[o.id]?.description ?? '', o.path, o.english ?? ''].join(' '),
        })
  })
  return out
}

export type Index = (q: string) => Hit[]

export async function build(language: Language): Promise<Index> {
  const all = await documents(language)
  const mini = new MiniSearch<Hit>({ fields: ['title', 'where', 'text'], tokenize: (s) => terms(s), processTerm: (s) => s })
  mini.addAll(all)
  const byId = new Map(all.map((d) => [d.id, d]))
  return (q) => {
    if (terms(q, true).length === 0) return []
    const found = mini.search(q, {
      combineWith: 'AND',
      tokenize: (s) => terms(s, true),
      prefix: (w) => !/\p{Script=Han}/u.test(w),
      fuzzy: (w) => (/^[a-z]{5,}$/.test(w) ? 0.15 : false),
      boost: { title: 4, where: 1.5 },
    })
    return found.flatMap((r) => byId.get(r.id as string) ?? [])
  }
}

/** A piece of the text around the first place found, cut at both ends. */
export function excerpt(text: string, q: string): { t: string; hit: boolean }[] {
  const flat = text.replace(/\s+/g, ' ').trim()
  const wanted = [...new Set(q.normalize('NFKC').toLowerCase().match(/\p{Script=Han}+|[^\s\p{Script=Han}]+/gu) ?? [])].sort((a, b) => b.length - a.length)
  const lower = flat.toLowerCase()
  const at = Math.min(...wanted.map((w) => lower.indexOf(w)).filter((i) => i >= 0), Infinity)
  const from = at === Infinity ? 0 : Math.max(0, at - 40)
  const piece = `${from > 0 ? '…' : ''}${flat.slice(from, from + 160)}${flat.length > from + 160 ? '…' : ''}`
  const out: { t: string; hit: boolean }[] = []
  let i = 0
  const low = piece.toLowerCase()
  while (i < piece.length) {
    const next = wanted.map((w) => ({ w, at: low.indexOf(w, i) })).filter((x) => x.at >= 0).sort((a, b) => a.at - b.at || b.w.length - a.w.length)[0]
    if (next === undefined) break
    if (next.at > i) out.push({ t: piece.slice(i, next.at), hit: false })
    out.push({ t: piece.slice(next.at, next.at + next.w.length), hit: true })
    i = next.at + next.w.length
  }
  if (i < piece.length) out.push({ t: piece.slice(i), hit: false })
  return out
}
