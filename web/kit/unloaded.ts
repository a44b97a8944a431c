// A screen whose files do not come. What stands stays, and it is said; when the
// server answers, the whole page is loaded instead: a newer version's files
// have other names.
import { mount } from 'svelte'
import { Failure, offline } from './errors'
import { toast } from './say.svelte'
import { kt, say } from './text'
import Unreachable from './widgets/Unreachable.svelte'

interface Place {
  pathname: string
  search?: Record<string, unknown>
}

/** For a router's `onError`; `first` is true while nothing stands yet. */
export function unloaded(base: string, first: boolean, error: unknown, place: Place): void {
  // The router gives the error to its caller too, which is nobody.
  const told = (e: PromiseRejectionEvent) => {
    if (e.reason === error) e.preventDefault()
  }
  addEventListener('unhandledrejection', told)
  setTimeout(() => removeEventListener('unhandledrejection', told), 1000)
  const failure = new Failure(offline, 0, '')
  if (first) {
    mount(Unreachable, { target: document.getElementById('app') ?? document.body, props: { error: failure, alone: false } })
    return
  }
  const query = new URLSearchParams(Object.entries(place.search ?? {}).map(([k, v]) => [k, String(v)])).toString()
  const to = base + place.pathname + (query === '' ? '' : `?${query}`)
  const whole = async () => {
    const there = await fetch(to, { method: 'HEAD' }).then((r) => r.ok, () => false)
    if (there) location.assign(to)
    else toast(say(failure), { bad: true, action: { label: kt('kit.retry'), run: () => void whole() } })
  }
  void whole()
}
