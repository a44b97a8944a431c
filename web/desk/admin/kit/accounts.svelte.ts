// Customers' accounts for pages that choose among them or name them. There may
// be ten thousand: they are read by the page, and found by words.
import { desk } from '../../../kit/api'
import { unwrap } from '../../../kit/errors'
import { queries } from '../../../kit/query'
import { allowed, auditors } from '../places'

type Signal = { signal: AbortSignal }
/** What narrows the list of accounts. */
export interface Which {
  q?: string
  state?: 'active' | 'disabled' | 'closed'
  sandbox?: boolean
  plan?: string
  partner?: string
}

/** A page of at most a hundred, by name. */
export const accountsPage = (which: Which, signal: AbortSignal, cursor?: string) => unwrap(desk.GET('/desk/v1/domains', { params: { query: { ...which, cursor, limit: 100 } }, signal }))

/** The first of them; not asked for by whom the API refuses them, such as supervisors who look at a partner. */
export const accountsQuery = (which: Which = {}) => ({
  queryKey: ['admin', 'domains', which],
  enabled: allowed(auditors),
  queryFn: ({ signal }: Signal) => accountsPage(which, signal),
})

const names = $state<Record<string, string>>({})
const asked = new Set<string>()
let wanted: string[] = []

/** The name of an account; dots until that is known, its id where it can not be or may not be read. All that a page shows are asked for at once. */
export function accountName(id: string | undefined): string {
  if (id === undefined || id === '') return ''
  const name = names[id]
  if (name === undefined && !asked.has(id) && allowed(auditors)) {
    asked.add(id)
    if (wanted.push(id) === 1) queueMicrotask(() => void ask())
  }
  return name ?? (allowed(auditors) ? '…' : id)
}

/** Takes the name an account has just been given. */
export function renamed(d: { id: string; name: string }): void {
  names[d.id] = d.name
}

async function ask() {
  const all = wanted
  wanted = []
  for (let i = 0; i < all.length; i += 100) {
    const id = all.slice(i, i + 100)
    try {
      const { items } = await queries.fetchQuery({
        queryKey: ['admin', 'domains', 'names', id],
        queryFn: ({ signal }) => unwrap(desk.GET('/desk/v1/domains', { params: { query: { id, limit: 100 } }, signal })),
        staleTime: 60_000,
      })
      for (const d of items) names[d.id] = d.name
    } catch {
      // Their ids stand instead.
    }
    for (const one of id) names[one] ??= one
  }
}
