// What sv-router leaves to us: links it must not take, focus and title after a
// change of place, and filters in the address as plain strings.
import { searchParams } from 'sv-router'
import { keep } from './near'

/**
 * Keeps the router from links that are not its own: new tabs, other sections,
 * files. It listens on the window, so this stops them one step before.
 */
export function guardLinks(base: string): () => void {
  const guard = (e: MouseEvent) => {
    const a = e.target instanceof Element ? e.target.closest('a') : null
    if (a === null || a.href === '') return
    const path = new URL(a.href, location.href).pathname
    const ours = path === base || path.startsWith(`${base}/`)
    if (e.defaultPrevented || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || !ours) e.stopPropagation()
  }
  document.addEventListener('click', guard)
  return () => document.removeEventListener('click', guard)
}

/** The address's filters; reading them in a component follows their changes. */
export function query(): URLSearchParams {
  return searchParams.toURLSearchParams()
}

/** The filters with some changed; empty ones are left out. */
export function queryWith(changes: Record<string, string | undefined>): string {
  const q = query()
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') q.delete(name)
    else q.set(name, value)
  }
  const text = q.toString()
  return text === '' ? '' : `?${text}`
}

export interface Bound {
  pathname: string
  search?: Record<string, unknown>
}
/** Where the router is going, while the screen's files come; unloaded.ts follows it. */
export const bound: { place: Bound | undefined; stands: boolean } = { place: undefined, stands: false }
export const goes = (place: Bound): void => void (bound.place = place)
export function came(): void {
  bound.place = undefined
  bound.stands = true
}

/**
 * After a change of place: the new page's heading has the focus, so that a screen reader says where one is. What has
 * it now gives it up before the page goes: a focus that is taken away with its element has the browser lay out both pages.
 */
export function arrived(): void {
  ;(document.activeElement as HTMLElement | null)?.blur()
  requestAnimationFrame(() => keep(() => document.querySelector<HTMLElement>('main h1')))
}
