// Addresses, and which layer is open.
import { session } from '../kit/session.svelte'
import type { S, Ticket } from './data'
import { list } from './list.svelte'
import { navigate } from './router'

/** The list's own address. */
export function listPath(): string {
  const { kind, id } = list.source
  return `/desk/${kind === 'queue' ? 'q' : 'v'}/${encodeURIComponent(id)}${list.sort === 'due' ? '' : `?sort=${list.sort}`}`
}

/** Whether the administration has something for the user: for everybody of the house, not for a partner's people. */
export function hasAdmin(): boolean {
  const who = session()
  return who?.role !== undefined && who.partner_id === undefined
}

/** A ticket's address; the list beside it goes along. */
export function ticketPath(number: string): string {
  const { kind, id } = list.source
  const q = new URLSearchParams()
  if (!(kind === 'queue' && id === 'mine')) q.set(kind === 'queue' ? 'q' : 'v', id)
  if (list.sort !== 'due') q.set('sort', list.sort)
  const text = q.toString()
  return `/desk/t/${encodeURIComponent(number)}${text === '' ? '' : `?${text}`}`
}

export type Layer =
  | { kind: 'palette' }
  | { kind: 'transfer'; tickets: Ticket[]; to?: { name: string; engineer: string } }
  | { kind: 'snooze'; ticket: Ticket }
  | { kind: 'merge'; ticket: Ticket }
  | { kind: 'tag'; tickets: Ticket[] }
  | { kind: 'reason'; ticket: Ticket; step: 'pause' | 'invalid' }
  | { kind: 'macros'; ticket: Ticket; macro?: string }
  | { kind: 'snippets'; ticket: Ticket }
  | { kind: 'articles'; ticket: Ticket }
  | { kind: 'ask'; ticket: Ticket }
  | { kind: 'auth'; id: string }
  | { kind: 'move'; ticket: Ticket; messages: string[]; done: () => void }
  | { kind: 'relate'; ticket: Ticket }
  | { kind: 'view'; view?: S['View']; filter?: S['RowFilter'] }
  | { kind: 'nav' }

const state = $state<{ layer: Layer | undefined }>({ layer: undefined })
export function layer(): Layer | undefined {
  return state.layer
}
export function openLayer(l: Layer | undefined): void {
  state.layer = l
}

/** What is being written in the open ticket, for layers that need it. */
export const writing = $state<{ ticket: Ticket | undefined; text: string; kind: 'reply' | 'note'; insert: (text: string) => void; clear: () => void }>({
  ticket: undefined,
  text: '',
  kind: 'reply',
  insert: () => undefined,
  clear: () => undefined,
})

/** Goes to an address of the desk, given whole. */
export function goto(address: string): void {
  const u = new URL(address, location.origin)
  void navigate(u.pathname.replace(/^\/desk/, '') as never, { search: Object.fromEntries(u.searchParams) } as never)
}
