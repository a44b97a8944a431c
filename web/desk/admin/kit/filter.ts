// Filters of lists, kept in the address.
import { query } from '../../../kit/router'
import { navigate, route } from '../../router'

/** Changes filters of the address in place: no step back for each letter, the page stays where it is. */
export function refilter(changes: Record<string, string | undefined>): void {
  const q = query()
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') q.delete(name)
    else q.set(name, value)
  }
  void navigate(route.pathname as never, { search: Object.fromEntries(q), replace: true, scrollToTop: false } as never)
}

/** A filter of the address, '' when it is not set. */
export function filtered(name: string): string {
  return query().get(name) ?? ''
}

/** Whether a text holds all words, whatever case and width. */
export function holds(words: string, ...texts: (string | undefined)[]): boolean {
  const fold = (s: string) => s.normalize('NFKC').toLowerCase()
  const all = fold(texts.join('\n'))
  return fold(words).split(/\s+/).filter(Boolean).every((w) => all.includes(w))
}
