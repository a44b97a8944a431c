// What the screens behind the first one read, and the changes they make.
import { v2, web } from '../kit/api'
import { unwrap } from '../kit/errors'
import { session } from '../kit/session.svelte'
import { language } from '../kit/i18n.svelte'
import { filterQuery, type Filter, type S } from './data'

const lang = () => language()

export type Detail = S['IncidentDetailInfoV2'] & { root_cause?: string; resolution?: string }
export type Message = S['IncidentMessageV2']
export const labelsQuery = () => ({
  queryKey: ['labels'],
  queryFn: async ({ signal }: { signal: AbortSignal }) => (await unwrap(v2.GET('/v2/servicerequest/labels', { params: { query: { limit: 100 } }, signal }))).label_list,
  staleTime: 60_000,
})

/** How an authorization ended that did so before its time, with its ticket, in words; of others undefined. */
export const overOf = (a: { status?: number; reject_reason?: string }) => (a.status === 3 && a.reject_reason ? a.reject_reason : undefined)

/** On how many tickets each label is, by its number. */
export const labelUseQuery = () => ({
  queryKey: ['labels', 'use'],
  queryFn: async ({ signal }: { signal: AbortSignal }) => new Map((await unwrap(web.GET('/web/v1/me/labels', { signal }))).items.map((l) => [l.label_id, l.tickets])),
})

/** The users of the account with what they may; for the main account. */
export const ownUsersQuery = () => ({
  queryKey: ['privileges', 'users'],
  queryFn: ({ signal }: { signal: AbortSignal }) => unwrap(web.GET('/web/v1/me/users', { signal })),
})

/** Whether the caller may submit. */
export const submitsQuery = () => ({
  queryKey: ['privileges', 'submit'],
  queryFn: async ({ signal }: { signal: AbortSignal }) => (await unwrap(v2.GET('/v2/servicerequest/privileges', { params: { query: { privilege: 'createCase' } }, signal }))).has_privilege === 1,
  staleTime: 60_000,
})

/** Whether the caller may export. */
export const mayExportQuery = () => ({
  queryKey: ['privileges', 'export'],
  queryFn: async ({ signal }: { signal: AbortSignal }) => (await unwrap(v2.GET('/v2/servicerequest/privileges', { params: { query: { privilege: 'export' } }, signal }))).has_privilege === 1,
  staleTime: 60_000,
})

/** Whether the caller sees every ticket of the account. */
export const wholeQuery = () => ({
  queryKey: ['whole'],
  queryFn: async ({ signal }: { signal: AbortSignal }) => (await unwrap(v2.GET('/v2/servicerequest/privileges', { params: { query: { privilege: 'assumeCaseAll' } }, signal }))).has_privilege === 1,
  staleTime: 60_000,
})

// The API gives names masked; the tickets that the caller may read say in full
// who opened them, the main account reads all names of its users, and everybody
// his own. Of another user without a ticket the end of the id tells him from one
// with the same mask. The main account is none of its sub-users: who else opened
// tickets is told apart.
const people = {
  queryKey: ['subusers'],
  queryFn: async ({ signal }: { signal: AbortSignal }) => {
    const me = session()
    const [people, tickets, own] = await Promise.all([
      unwrap(v2.GET('/v2/servicerequest/customers/sub-customers', { params: { query: {} }, signal })),
      unwrap(v2.GET('/v2/servicerequest/cases', { params: { query: { offset: 0, limit: 100 } }, signal })),
      me?.main === true ? unwrap(web.GET('/web/v1/me/users', { signal })).catch(() => undefined) : undefined, // without them the names are as the API gives them
    ])
    const names = new Map(tickets.incident_info_list.map((t) => [t.xcustomer_id ?? '', t.xcustomer_name ?? '']))
    const plain = new Map([...names, ...(own?.items ?? []).map((u) => [u.id, u.name] as const), [me?.user_id ?? '', me?.name ?? '']])
    const subusers = people.sub_customer_infos.map((u) => ({ ...u, customer_name: plain.get(u.customer_id ?? '') || `${u.customer_name ?? ''} (${(u.customer_id ?? '').slice(-6)})` }))
    return { subusers, names }
  },
  staleTime: 60_000,
}
type People = Awaited<ReturnType<typeof people.queryFn>>

export const subusersQuery = () => ({ ...people, select: (r: People) => r.subusers })

/** Whom the list may be narrowed to, the user himself first. */
export const submittersQuery = (self: { user_id: string; name: string }) => ({
  ...people,
  select: ({ subusers, names }: People) => [...new Map([[self.user_id, self.name], ...subusers.map((u) => [u.customer_id ?? '', u.customer_name] as const), ...names])].filter(([id]) => id !== ''),
})

/** A ticket is read as one's own, or with `group` as one of a group's. */
const of = (group: string) => group || undefined

export const detailQuery = (id: string, group = '') => ({
  queryKey: ['ticket', id, lang(), group],
  queryFn: async ({ signal }: { signal: AbortSignal }) => {
    const r = await unwrap(v2.GET('/v2/servicerequest/cases/{case_id}', { params: { path: { case_id: id }, query: { group_id: of(group), trim_osm_rich_text_label: false } }, signal }))
    const extra = (r as { extends_params?: ExtendValue[] }).extends_params ?? []
    return { ...(r.incident_detail_info as Detail), extends_params: extra }
  },
})
export interface ExtendValue {
  param_key: string
  param_name: string
  param_value: string
  param_value_name?: string
}

export const logQuery = (id: string, group = '') => ({
  queryKey: ['log', id, lang(), group],
  queryFn: async ({ signal }: { signal: AbortSignal }) =>
    (await unwrap(v2.GET('/v2/servicerequest/cases/{case_id}/operate-logs', { params: { path: { case_id: id }, query: { limit: 100, group_id: of(group) } }, signal }))).incident_operate_log_list,
})

export const clocksQuery = (id: string, group = '') => ({
  queryKey: ['clocks', id, lang(), group],
  queryFn: ({ signal }: { signal: AbortSignal }) => unwrap(web.GET('/web/v1/tickets/{number}/clocks', { params: { path: { number: id }, query: { group_id: of(group) } }, signal })),
  staleTime: 30_000,
})

/** When a ticket may be urged. */
export const urgeQuery = (id: string, group = '') => ({
  queryKey: ['urge', id, group],
  staleTime: 30_000,
  queryFn: ({ signal }: { signal: AbortSignal }) => unwrap(web.GET('/web/v1/tickets/{number}/urge', { params: { path: { number: id }, query: { group_id: of(group) } }, signal })),
})

/** Of each ticket, who wrote last and how much is unread. */
export const lastQuery = (ids: string[], group = '') => ({
  queryKey: ['unread', 'last', ids.join(), group, lang()],
  enabled: ids.length > 0,
  queryFn: async ({ signal }: { signal: AbortSignal }) => {
    const r = await unwrap(web.GET('/web/v1/last-messages', { params: { query: { numbers: ids, group_id: of(group) } }, signal }))
    return new Map(r.items.map((l) => [l.number, l]))
  },
})

/** Groups whose tickets the user may see. */
export const groupsQuery = () => ({
  queryKey: ['groups'],
  staleTime: 5 * 60_000,
  queryFn: async ({ signal }: { signal: AbortSignal }) => (await unwrap(web.GET('/web/v1/me/groups', { signal }))).items,
})

/** How many tickets that fit a filter are in each state; the count of the customer API is of all that the caller sees. */
export const countsOfQuery = (f: Filter) => ({
  queryKey: ['counts', f],
  queryFn: async ({ signal }: { signal: AbortSignal }) => {
    const { app_key, query_start_time, query_end_time, x_customer_id, group_id } = filterQuery(f)
    const query = { app_key, query_start_time, query_end_time, x_customer_id, group_id, label_id_list: f.label ? [Number(f.label)] : undefined }
    return new Map((await unwrap(web.GET('/web/v1/ticket-counts', { params: { query }, signal }))).items.map((c) => [c.status, c.count]))
  },
})

export const relationsQuery = (id: string) => ({
  queryKey: ['relations', id],
  queryFn: async ({ signal }: { signal: AbortSignal }) => (await unwrap(v2.GET('/v2/servicerequest/cases/{case_id}/relations', { params: { path: { case_id: id } }, signal }))).case_relation_list,
})

export const ticketLabelsQuery = (id: string) => ({
  queryKey: ['ticketlabels', id],
  queryFn: async ({ signal }: { signal: AbortSignal }) => (await unwrap(v2.GET('/v2/servicerequest/cases/{case_id}/labels', { params: { path: { case_id: id } }, signal }))).case_label_list,
})

export const limitsQuery = () => ({
  queryKey: ['limits'],
  queryFn: async ({ signal }: { signal: AbortSignal }) => {
    const l = (await unwrap(v2.GET('/v2/servicerequest/accessorys/limits', { signal }))).accessory_limit ?? {}
    return { count: Number(l.limit_count ?? 5), megabytes: Number(l.limit_size ?? 10), types: (l.limit_file_type ?? '').split(',').filter(Boolean) }
  },
  staleTime: 5 * 60_000,
})

export const scoresQuery = () => ({
  queryKey: ['dimensions', lang()],
  queryFn: async ({ signal }: { signal: AbortSignal }) => (await unwrap(v2.GET('/v2/servicerequest/config/satisfaction-dimensions', { signal }))).satisfaction_dimension_list,
  staleTime: 5 * 60_000,
})

export type Action = 'cancel' | 'close' | 'press' | 'delete'
export const act = (id: string, action: Action, body: S['WorkOrderOperateV2Req'] = {}) =>
  unwrap(v2.POST('/v2/servicerequest/cases/{case_id}/action', { params: { path: { case_id: id }, query: { action_id: action } }, body }))

/** Opens a file that needs the session: a link that is good for minutes. */
export async function fileLink(ids: string[], group = ''): Promise<Map<string, string>> {
  const r = await unwrap(v2.GET('/v2/servicerequest/accessorys/access-urls', { params: { query: { accessory_ids: ids, group_id: of(group) } } }))
  return new Map(r.accessory_urls.map((u) => [u.accessory_id ?? '', u.accessory_url ?? '']))
}

/** Whether a file is a picture that the pages show, by its name. */
export const pictured = (name: string): boolean => /\.(png|jpe?g|gif|bmp)$/i.test(name)

export const pictureOf = async (id: string, group: string, signal: AbortSignal): Promise<Blob> =>
  (await unwrap(v2.GET('/v2/servicerequest/accessorys/{accessory_id}/image', { params: { path: { accessory_id: id }, query: { group_id: of(group) } }, parseAs: 'blob', signal }))) as unknown as Blob

/** Has the browser download a file, by a link that is good for minutes. */
export async function download(id: string, name: string, group: string): Promise<void> {
  const link = (await fileLink([id], group)).get(id)
  if (link === undefined) return
  const { pathname, search } = new URL(link, location.href)
  const a = document.createElement('a')
  a.href = pathname + search
  a.target = '_self'
  a.download = name
  document.body.append(a)
  a.click()
  a.remove()
}

/** Lets the browser save what was fetched. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob)
  const a = document.createElement('a')
  a.href = url
  a.download = name
  a.target = '_self'
  document.body.append(a)
  a.click()
  a.remove()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

export const ended = [3, 4, 12]
