// What the console reads, as queries by name, and the changes it makes.
import { v2 } from '../kit/api'
import type { components } from '../kit/api/v2'
import { unwrap } from '../kit/errors'
import { intl, language } from '../kit/i18n.svelte'

export type S = components['schemas']
export type Ticket = S['IncidentInfoV2']
export type Label = S['CaseLabelInfo']
export type Auth = S['IncidentOrderAuthV2']

/** Names from the server are in the language they were asked in. */
const lang = () => language()

export interface Filter {
  status?: string // comma-joined
  q?: string
  from?: string
  to?: string
  label?: string
  by?: string
  group?: string
  offset?: number
  limit?: number
}

export function filterQuery(f: Filter) {
  return {
    incident_status: f.status || undefined,
    app_key: f.q || undefined,
    query_start_time: f.from ? `${f.from} 00:00:00` : undefined,
    query_end_time: f.to ? `${f.to} 23:59:59` : undefined,
    label_id_list: f.label ? [f.label] : undefined,
    x_customer_id: f.by || undefined,
    group_id: f.group || undefined,
  }
}

/** Texts come to the letter: what a reader would take for marks of rich text is what somebody wrote. */
export const ticketsQuery = (f: Filter) => ({
  queryKey: ['tickets', f, lang(), intl()],
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    unwrap(v2.GET('/v2/servicerequest/cases', { params: { query: { ...filterQuery(f), trim_osm_rich_text_label: false, offset: f.offset ?? 0, limit: f.limit ?? 50 } }, signal })),
})

export const countsQuery = () => ({
  queryKey: ['counts'],
  queryFn: async ({ signal }: { signal: AbortSignal }) => {
    const r = await unwrap(v2.GET('/v2/servicerequest/cases/count', { signal }))
    return new Map(r.incident_status_counts.map((c) => [c.status ?? 0, c.count ?? 0]))
  },
})

export const unreadQuery = (ids: string[]) => ({
  queryKey: ['unread', ids.join()],
  enabled: ids.length > 0,
  queryFn: async ({ signal }: { signal: AbortSignal }) => {
    const r = await unwrap(v2.GET('/v2/servicerequest/cases/instant-messages/unread', { params: { query: { case_ids: ids } }, signal }))
    return new Map(r.imunread.map((u) => [u.incident_id ?? '', u.unread_num ?? 0]))
  },
})

export const authsQuery = (f: { status?: number; ticket?: string; group?: string; offset?: number; limit?: number } = {}) => ({
  queryKey: ['auths', f, lang()],
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    unwrap(v2.GET('/v2/servicerequest/authorizations', { params: { query: { status: f.status, incident_id: f.ticket, group_id: f.group || undefined, trim_osm_rich_text_label: false, offset: f.offset ?? 0, limit: f.limit ?? 50 } }, signal })),
})

export const open = '0,1,2,5,17'
export const needsYou = '2,17'
