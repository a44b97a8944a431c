// How alike tickets are: candidates come from the desk's search, by the words
// of the ticket's first line, and stand by shared pairs of letters.
import { desk } from '../kit/api'
import { unwrap } from '../kit/errors'
import { intl, language } from '../kit/i18n.svelte'
import { headline, type Ticket } from './data'

const most = 8 // words asked for

/** The words worth searching for, the longest first: those a long text shares by chance are short. */
export function words(text: string, locale = intl()): string[] {
  const folded = headline(text).normalize('NFKC').toLowerCase()
  const found = new Set<string>()
  for (const part of new Intl.Segmenter(locale, { granularity: 'word' }).segment(folded)) {
    const w = part.segment
    if (part.isWordLike === true && (/\p{Script=Han}/u.test(w) ? w.length >= 2 : w.length >= 3)) found.add(w)
  }
  return [...found].sort((a, b) => b.length - a.length).slice(0, most)
}

function pairs(text: string): Set<string> {
  const s = text.normalize('NFKC').toLowerCase().replace(/\s+/g, '')
  return new Set(Array.from({ length: Math.max(0, s.length - 1) }, (_, i) => s.slice(i, i + 2)))
}

/** 0 to 1.4: shared pairs of letters, the same submitter, the same product. */
export function likeness(a: Ticket, b: Ticket): number {
  const [x, y] = [pairs(a.description), pairs(b.description)]
  const both = [...x].filter((p) => y.has(p)).length
  return (2 * both) / Math.max(1, x.size + y.size) + (a.creator_id === b.creator_id ? 0.2 : 0) + (a.product_category_id === b.product_category_id ? 0.2 : 0)
}

/** The query that finds tickets like this one. */
export function likeQuery(ticket: Ticket, only: string): string {
  const any = words(ticket.description)
    .map((w) => `"${w.replaceAll('"', '')}"`)
    .join(' OR ')
  return any === '' ? '' : [only, any].filter(Boolean).join(' ')
}

/** Tickets like this one; `only` narrows the search, for example to its customer. */
export const likeOf = (ticket: Ticket, only = '') => ({
  queryKey: ['like', ticket.number, only, language()],
  enabled: likeQuery(ticket, only) !== '',
  staleTime: 5 * 60_000,
  queryFn: async ({ signal }: { signal: AbortSignal }) => {
    const page = await unwrap(desk.GET('/desk/v1/search', { params: { query: { q: likeQuery(ticket, only).slice(0, 512), limit: 30 } }, signal }))
    return page.items
      .map((i) => i.ticket)
      .filter((x) => x.number !== ticket.number)
      .map((x) => ({ ticket: x, like: likeness(ticket, x) }))
      .sort((a, b) => b.like - a.like)
  },
})
