// What an event makes stale. Events carry ids only; the pages read anew what
// they show.
import type { LiveEvent } from '../kit/live'
import { queries } from '../kit/query'

const state = $state({ live: false })
// Loaded while the server answers, and not by the first load.
const said = import('./away').catch(() => undefined)
let poll: ReturnType<typeof setInterval> | undefined

export function live(): boolean {
  return state.live
}

/** Without the stream the open page asks again every ten seconds. */
export function setLive(live: boolean, silent = false): void {
  state.live = live
  void said.then((a) => a?.streaming(live, all, silent))
  clearInterval(poll)
  poll = live ? undefined : setInterval(() => document.visibilityState === 'visible' && all(), 10_000)
}

function all(): void {
  for (const key of ['tickets', 'counts', 'ticket', 'messages', 'log', 'clocks', 'urge', 'auths', 'auth', 'unread']) void queries.invalidateQueries({ queryKey: [key] })
}

export function onLive(e: LiveEvent): void {
  const stale = (...keys: unknown[][]) => keys.forEach((queryKey) => void queries.invalidateQueries({ queryKey }))
  const id = e.data.ticket
  switch (e.kind) {
    case 'reset':
      all()
      return
    case 'auth.changed':
      stale(['auths'], ['auth'], ['tickets'])
      if (id !== undefined) stale(['log', id], ['messages', id])
      return
    case 'ticket.changed':
    case 'message.new':
    case 'message.withdrawn':
    case 'sla.due':
      stale(['tickets'], ['counts'], ['unread'])
      if (id !== undefined) stale(['ticket', id], ['messages', id], ['log', id], ['clocks', id], ['urge', id])
  }
}
