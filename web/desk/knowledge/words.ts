// An article as it is being written, apart from the page: what a form holds and
// what the server gets of it.
import type { S } from '../data'
import type { Article } from './data'

export interface Words {
  title: string
  summary: string
  body: string
}
export interface Draft {
  slug: string
  visibility: 'internal' | 'customers'
  zh: Words
  en: Words
  tags: string
  products: string[]
  types: string[]
  note: string
  revision: number
}
export const most = { title: 200, summary: 500, body: 50_000, tags: 20, tag: 32, note: 500, slug: 80 }

const none = (): Words => ({ title: '', summary: '', body: '' })
const wordsOf = (w: S['ArticleText'] | undefined): Words => ({ title: w?.title ?? '', summary: w?.summary ?? '', body: w?.body ?? '' })

export const draftOf = (a?: Article): Draft => ({
  slug: a?.slug ?? '',
  visibility: a?.visibility ?? 'internal',
  zh: a === undefined ? none() : wordsOf(a.zh),
  en: a === undefined ? none() : wordsOf(a.en),
  tags: a?.tags.join(', ') ?? '',
  products: [...(a?.products ?? [])],
  types: [...(a?.problem_types ?? [])],
  note: '',
  revision: a?.revision ?? 0,
})

export const tagsOf = (text: string): string[] => [...new Set(text.split(/[,，、;；\n]+/).map((x) => x.trim()).filter(Boolean))]

/** The same words, whatever the note and the revision. */
export function same(a: Draft, b: Draft): boolean {
  const plain = (d: Draft) => JSON.stringify([d.visibility, d.zh, d.en, tagsOf(d.tags), d.products, d.types])
  return plain(a) === plain(b)
}

export function bodyOf(d: Draft): S['ChangeArticleReq'] {
  const words = (w: Words) => (w.title.trim() === '' && w.summary.trim() === '' && w.body.trim() === '' ? undefined : w)
  return { visibility: d.visibility, zh: words(d.zh), en: words(d.en), tags: tagsOf(d.tags), products: d.products, problem_types: d.types, note: d.note.trim() || undefined }
}

/** A name for links out of a title: what Latin there is. */
export function slugOf(title: string): string {
  return title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, most.slug)
    .replace(/^-+|-+$/g, '')
}
export const isSlug = (text: string) => /^[a-z0-9]+(-[a-z0-9]+)*$/.test(text) && text.length <= most.slug

/** Lines of a difference with what did not change folded to `around` lines. */
export interface Line {
  sign: '-' | '+' | ' '
  text: string
}
export function folded(lines: Line[], around = 2): (Line | number)[] {
  const near = lines.map((_, i) => lines.slice(Math.max(0, i - around), i + around + 1).some((l) => l.sign !== ' '))
  const out: (Line | number)[] = []
  lines.forEach((l, i) => {
    const last = out.at(-1)
    if (near[i]) out.push(l)
    else if (typeof last === 'number') out[out.length - 1] = last + 1
    else out.push(1)
  })
  return out
}
