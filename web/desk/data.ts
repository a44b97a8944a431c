// What the desk reads, as queries by name, and the changes it makes.
import { desk } from '../kit/api'
import type { components } from '../kit/api/desk'
import { asFailure, Failure, unwrap } from '../kit/errors'
import { language } from '../kit/i18n.svelte'
import { plain } from '../kit/text'
import { layer } from './ahead.svelte'

export type S = components['schemas']
export type Ticket = S['Ticket']
export type Message = S['Message']
export type Entry = S['HistoryEntry']
export type Draft = S['Draft']
export type Macro = S['Macro']
export type Snippet = S['Snippet']
export type Conflict = S['Conflict']
export type Sort = S['RowSort']
export type Doing = S['PresenceReq']['doing']

const lang = () => language()
type Signal = { signal: AbortSignal }

/** A refusal because of what others did meanwhile; the answer tells what. */
export class Conflicted extends Failure {
  constructor(
    f: Failure,
    readonly conflict: Conflict,
  ) {
    super(f.code, f.status, f.message, f.request)
  }
}

/** As `unwrap`, keeping what a 409 tells of the others' changes. */
export async function told<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const answer = await call.catch((e: unknown) => {
    throw asFailure(e)
  })
  try {
    return await unwrap(Promise.resolve(answer))
  } catch (e) {
    const body = answer.error as { conflict?: Conflict } | undefined
    if (e instanceof Failure && e.status === 409 && body?.conflict !== undefined) throw new Conflicted(e, body.conflict)
    throw e
  }
}

/** One of two languages, the other one where it is missing. */
export function named(b: S['Bilingual']): string {
  return (language() === 'zh-cn' ? b.zh || b.en : b.en || b.zh) ?? ''
}

export const queuesQuery = () => ({
  queryKey: ['queues', lang()],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/queues', { signal }))).items,
})

export const viewsQuery = () => ({
  queryKey: ['views', lang()],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/views', { signal }))).items,
})

export type Source = { kind: 'queue' | 'view'; id: string }

export function rows(source: Source, sort: Sort, cursor?: string) {
  const query = { sort, limit: 100, cursor }
  return source.kind === 'queue'
    ? unwrap(desk.GET('/desk/v1/queues/{queue_id}/tickets', { params: { path: { queue_id: source.id }, query } }))
    : unwrap(desk.GET('/desk/v1/views/{view_id}/tickets', { params: { path: { view_id: source.id }, query } }))
}

export const ticketQuery = (number: string) => ({
  queryKey: ['ticket', number, lang()],
  select: layer(number), // with what is under way
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/tickets/{number}', { params: { path: { number } }, signal })),
})

export const messagesQuery = (number: string) => ({
  queryKey: ['messages', number],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/tickets/{number}/messages', { params: { path: { number } }, signal }))).items,
})

export const historyQuery = (number: string) => ({
  queryKey: ['history', number, lang()],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/tickets/{number}/history', { params: { path: { number }, query: { limit: 100 } }, signal }))).items,
})

export const teamQuery = (number: string) => ({
  queryKey: ['team', number],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/tickets/{number}/team', { params: { path: { number } }, signal })),
})

export const clocksQuery = (number: string) => ({
  queryKey: ['clocks', number, lang()],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/tickets/{number}/clocks', { params: { path: { number } }, signal })),
  staleTime: 30_000,
})

export const detailsQuery = (number: string) => ({
  queryKey: ['details', number, lang()],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/tickets/{number}/details', { params: { path: { number } }, signal })),
  staleTime: 60_000,
})

export const authsQuery = (number: string) => ({
  queryKey: ['auths', number, lang()],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/tickets/{number}/authorizations', { params: { path: { number } }, signal }))).items,
})

export const lastQuery = (domain: string, number: string) => ({
  queryKey: ['last', domain, number, lang()],
  enabled: domain !== '',
  queryFn: async ({ signal }: Signal) => {
    const page = await unwrap(desk.GET('/desk/v1/tickets', { params: { query: { domain, limit: 7 } }, signal }))
    return { total: page.total_count, items: page.items.filter((t) => t.number !== number).slice(0, 6) }
  },
  staleTime: 60_000,
})

/**
 * Customers by part of their name: of those who may read accounts (`lists`) the
 * accounts with their ids, else as the search completes names. A partner's
 * people get the customers they serve. Without words the first ones.
 */
export const customersQuery = (words: string, lists: boolean) => ({
  queryKey: ['customers', words, lists],
  queryFn: async ({ signal }: Signal): Promise<{ id: string; name: string }[]> => {
    if (lists) return (await unwrap(desk.GET('/desk/v1/domains', { params: { query: words === '' ? { limit: 100 } : { q: words.slice(0, 256), limit: 5 } }, signal }))).items
    const q = words === '' ? 'customer:' : `customer:"${words.replaceAll('"', '').slice(0, 256)}"`
    const { items } = await unwrap(desk.GET('/desk/v1/search/suggest', { params: { query: { q } }, signal }))
    return items.filter((s) => s.complete).map((s) => ({ id: '', name: s.insert.replace(/^customer:/, '').replace(/^"|"$/g, '') }))
  },
  staleTime: 30_000,
})

export const macrosQuery = () => ({
  queryKey: ['macros'],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/macros', { signal }))).items,
  staleTime: 5 * 60_000,
})

export const snippetsQuery = () => ({
  queryKey: ['snippets'],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/snippets', { signal }))).items,
  staleTime: 5 * 60_000,
})

export const engineersQuery = () => ({
  queryKey: ['engineers'],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/engineers', { signal }))).items,
  staleTime: 60_000,
})

export const profilesQuery = () => ({
  queryKey: ['profiles'],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/engineer-profiles', { signal }))).items,
  staleTime: 30_000,
  retry: false,
})

export const teamsQuery = () => ({
  queryKey: ['teams', lang()],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/teams', { signal }))).items,
  staleTime: 60_000,
})

export const shiftQuery = () => ({
  queryKey: ['shift'],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/me/shift', { signal })),
})

export const draftsQuery = () => ({
  queryKey: ['drafts'],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/drafts', { params: { query: { limit: 50 } }, signal }))).items,
})

export const laterQuery = () => ({
  queryKey: ['later'],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/later', { signal }))).items,
})

export const searchQuery = (q: string) => ({
  queryKey: ['search', q, lang()],
  enabled: q.trim() !== '',
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/search', { params: { query: { q, limit: 50 } }, signal })),
})

export const step = (number: string, body: S['StepReq'], key?: string) =>
  told(desk.POST('/desk/v1/tickets/{number}/steps', { params: { path: { number } }, headers: key === undefined ? {} : { 'Idempotency-Key': key }, body }))

const unanswered = new Map<string, { key: string; body: S['StepReq'] }>()

/**
 * A step that says something, as `step`. One that failed may be with the server all the same, its answer lost: what
 * says the same with the same files goes as it went first, until it is done or others' changes refuse it.
 */
export async function say(number: string, body: S['StepReq'], as: string = body.action): Promise<Ticket> {
  const same = JSON.stringify([number, as, body.text, body.attachment_ids])
  const sent = unanswered.get(same) ?? { key: `${Date.now().toString(36)}${Math.random().toString(36)}`, body }
  unanswered.set(same, sent)
  try {
    const done = await step(number, sent.body, sent.key)
    unanswered.delete(same)
    return done
  } catch (e) {
    if (e instanceof Conflicted) unanswered.delete(same)
    throw e
  }
}

/** The first line of a description, for headings and lists. */
export function headline(text: string): string {
  return plain(text)
}

/**
 * What is left of the nearest promise, 0 to 100: 0 = over, undefined = none
 * runs. The server says from when its whole target is counted, pauses left out.
 */
export function left(t: Pick<Ticket, 'due_at' | 'due_from' | 'created_at'>, now: number): number | undefined {
  if (t.due_at === undefined) return undefined
  const due = Date.parse(t.due_at)
  const from = Date.parse(t.due_from ?? t.created_at)
  if (due <= now) return 0
  return Math.max(1, Math.min(100, ((due - now) / Math.max(due - from, 60_000)) * 100))
}
