// A screen whose files do not come. What stands stays, and it is said; when the
// server answers, the whole page is loaded instead: a newer version's files
// have other names.
import { mount } from 'svelte'
import { Failure, offline } from './errors'
import { bound, type Bound } from './router'
import { toast } from './say.svelte'
import { kt, say } from './text'
import Unreachable from './widgets/Unreachable.svelte'

/** Follows what `bound` says of a router. The router itself waits for ever and tells nobody: Vite's event does. */
export function watch(base: string): void {
  let until = 0 // one screen has several files
  const known = new WeakSet<object>()
  addEventListener('unhandledrejection', (r) => {
    if (typeof r.reason === 'object' && r.reason !== null && known.has(r.reason as object)) r.preventDefault()
  })
  addEventListener('vite:preloadError', (e) => {
    const to = bound.place
    if (to === undefined && performance.now() > until) return // not a screen: who wanted it deals with it
    const error = (e as Event & { payload?: unknown }).payload
    if (typeof error === 'object' && error !== null) known.add(error)
    if (to === undefined) return
    bound.place = undefined
    until = performance.now() + 3000
    if (bound.stands) void whole(addressOf(base, to))
    else mount(Unreachable, { target: document.getElementById('app') ?? document.body, props: { error: new Failure(offline, 0, ''), alone: false } })
  })
}

function addressOf(base: string, { pathname, search }: Bound): string {
  const query = new URLSearchParams(Object.entries(search ?? {}).map(([k, v]) => [k, String(v)])).toString()
  return base + pathname + (query === '' ? '' : `?${query}`)
}

async function whole(to: string): Promise<void> {
  const there = await fetch(to, { method: 'HEAD' }).then((r) => r.ok, () => false)
  if (there) location.assign(to)
  else toast(say(new Failure(offline, 0, '')), { bad: true, action: { label: kt('kit.retry'), run: () => void whole(to) } })
}
