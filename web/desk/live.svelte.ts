// What an event makes stale. Events carry ids only; the pages read anew what
// they show.
import { streaming } from '../kit/away.svelte'
import type { LiveEvent } from '../kit/live'
import { queries } from '../kit/query'
import { list } from './list.svelte'
import { noticed } from './notices'

const state = $state({ live: false })
let poll: ReturnType<typeof setInterval> | undefined
const wait = 5_000 // ms between two looks without the stream

export function live(): boolean {
  return state.live
}

export function setLive(live: boolean, silent = false): void {
  state.live = live
  streaming(live, all, silent)
  clearInterval(poll)
  poll = live ? undefined : setInterval(() => document.visibilityState === 'visible' && all(), wait)
}

function stale(...keys: unknown[][]): void {
  for (const queryKey of keys) void queries.invalidateQueries({ queryKey })
}

function all(): void {
  stale(['queues'], ['views'], ['shift'], ['ticket'], ['messages'], ['history'], ['team'], ['auths'], ['approvals'])
  void list.look()
}

let counting: ReturnType<typeof setTimeout> | undefined
let counted = 0
/** Counts are read at once, and of a burst of words once a second. */
function counts(): void {
  counting ??= setTimeout(
    () => {
      counting = undefined
      counted = Date.now()
      stale(['queues'], ['views'], ['shift'])
      void list.look()
    },
    Math.max(50, counted + 1000 - Date.now()),
  )
}

export function onLive(e: LiveEvent): void {
  const id = e.data.ticket
  switch (e.kind) {
    case 'reset':
      all()
      return
    case 'presence':
      if (id !== undefined) stale(['team', id])
      return
    case 'queue.counts':
      counts()
      return
    case 'auth.changed':
      stale(['approvals'])
      if (id !== undefined) stale(['auths', id], ['auth'], ['history', id], ['ticket', id])
      return
    case 'notice':
      noticed(e)
      return
    case 'ticket.changed':
    case 'message.new':
    case 'message.withdrawn':
    case 'sla.due':
      if (id !== undefined) stale(['ticket', id], ['messages', id], ['history', id], ['team', id], ['clocks', id])
  }
}

/** After an own change: what shows the ticket is read anew, at once. */
export function changed(number: string): void {
  stale(['ticket', number], ['messages', number], ['history', number], ['team', number], ['clocks', number], ['queues'], ['views'], ['shift'])
  void list.look()
}
