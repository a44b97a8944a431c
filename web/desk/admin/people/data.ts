// What the pages of people and access read.
import { desk } from '../../../kit/api'
import { unwrap } from '../../../kit/errors'
import { language } from '../../../kit/i18n.svelte'
import { queries } from '../../../kit/query'
import type { S } from '../../data'

type Signal = { signal: AbortSignal }
export type Domain = S['Domain']
export type User = S['User']
export const house = 'house'

export type Area = S['CatalogAreaCode']
export const areasQuery = () => ({
  queryKey: ['admin', 'areas', language()], // in the order of the language
  staleTime: 60 * 60_000,
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/catalog/area-codes', { signal }))).items,
})

export const domainQuery = (domain_id: string) => ({
  queryKey: ['admin', 'domain', domain_id],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/domains/{domain_id}', { params: { path: { domain_id } }, signal })),
})
export const usersQuery = (domain_id: string) => ({
  queryKey: ['admin', 'users', domain_id],
  enabled: domain_id !== '',
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/domains/{domain_id}/users', { params: { path: { domain_id } }, signal }))).items,
})
export const userQuery = (domain_id: string, user_id: string) => ({
  queryKey: ['admin', 'user', domain_id, user_id],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/domains/{domain_id}/users/{user_id}', { params: { path: { domain_id, user_id } }, signal })),
})
export const signInQuery = (domain_id: string, user_id: string) => ({
  queryKey: ['admin', 'sign-in', domain_id, user_id],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/domains/{domain_id}/users/{user_id}/sign-in', { params: { path: { domain_id, user_id } }, signal })),
})
export const sessionsQuery = (domain_id: string, user_id: string) => ({
  queryKey: ['admin', 'sessions', domain_id, user_id],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/domains/{domain_id}/users/{user_id}/sessions', { params: { path: { domain_id, user_id } }, signal }))).items,
})
export const userKeysQuery = (domain_id: string, user_id: string) => ({
  queryKey: ['admin', 'keys', domain_id, user_id],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/domains/{domain_id}/users/{user_id}/keys', { params: { path: { domain_id, user_id } }, signal }))).items,
})
export const keysQuery = (domain_id: string) => ({
  queryKey: ['admin', 'keys', domain_id],
  enabled: domain_id !== '',
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/domains/{domain_id}/keys', { params: { path: { domain_id } }, signal }))).items,
})
export const groupsQuery = (domain_id: string) => ({
  queryKey: ['admin', 'groups', domain_id],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/domains/{domain_id}/groups', { params: { path: { domain_id } }, signal }))).items,
})
export const agenciesQuery = (domain_id: string) => ({
  queryKey: ['admin', 'agencies', domain_id],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/domains/{domain_id}/agencies', { params: { path: { domain_id } }, signal }))).items,
})
export const resourcesQuery = (domain_id: string) => ({
  queryKey: ['admin', 'resources', domain_id],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/domains/{domain_id}/resources', { params: { path: { domain_id } }, signal }))).items,
})
export const permissionsQuery = (domain_id: string, as_of: string) => ({
  queryKey: ['admin', 'permissions', domain_id, as_of],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/domains/{domain_id}/permissions', { params: { path: { domain_id }, query: as_of === '' ? {} : { as_of } }, signal })),
})
export const clockQuery = (domain_id: string) => ({
  queryKey: ['admin', 'clock', domain_id],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/domains/{domain_id}/clock', { params: { path: { domain_id } }, signal })),
})
export const partnersQuery = () => ({
  queryKey: ['admin', 'partners'],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/partners', { signal }))).items,
})
export const partnerQuery = (partner_id: string) => ({
  queryKey: ['admin', 'partner', partner_id],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/partners/{partner_id}', { params: { path: { partner_id } }, signal })),
})
export const partnerPeopleQuery = (partner: string) => ({
  queryKey: ['admin', 'partner-people', partner],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/engineers', { params: { query: { partner } }, signal }))).items,
})
export const profileQuery = (user_id: string) => ({
  queryKey: ['profiles', user_id],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/engineer-profiles/{user_id}', { params: { path: { user_id } }, signal })),
  retry: false,
})
/** Support plans by name, as the search completes them. */
export const plansQuery = () => ({
  queryKey: ['admin', 'plans'],
  staleTime: 5 * 60_000,
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/search/suggest', { params: { query: { q: 'plan:' } }, signal }))).items.map((s) => s.insert.replace(/^plan:/, '').replace(/^"|"$/g, '')),
})

export interface Choice {
  id: string
  name: string
}
/** What an engineer's skills and a partner's services choose from; nothing for those who may not read the catalogue. */
export const namesQuery = (enabled: boolean) => ({
  queryKey: ['admin', 'names', language()],
  enabled,
  staleTime: 5 * 60_000,
  retry: false,
  queryFn: async ({ signal }: Signal) => {
    const { files } = await unwrap(desk.GET('/desk/v1/catalog', { signal }))
    const of = (key: string): Choice[] =>
      Object.values(files).flatMap((text) => {
        const begin = text.search(new RegExp(`^${key}:`, 'm')) // a file may hold other lists as well
        if (begin < 0) return []
        const list = text.slice(begin + key.length)
        const end = list.search(/^[a-z_]+:/m)
        return entries(end < 0 ? list : list.slice(0, end))
      })
    return { products: of('products'), subTypes: of('sub_types'), regions: of('regions'), plans: of('support_plans') }
  },
})

/** Ids and names of the entries of a list of the catalogue, as the export writes them: entries at two blanks, names in one line. */
export function entries(text: string): Choice[] {
  const all: Choice[] = []
  for (const part of text.split(/^ {2}- /m).slice(1)) {
    const id = /^\{?id: ?['"]?([^'",}\n]+)['"]?/.exec(part)?.[1]?.trim()
    const both = /(?:^ {4}|, )name: ?\{zh: ?(.*?), en: ?(.*?)\}/m.exec(part)
    const bare = (s: string | undefined) => (s ?? '').replace(/^(['"])(.*)\1$/, '$2')
    if (id !== undefined) all.push({ id, name: (language() === 'zh-cn' ? bare(both?.[1]) : bare(both?.[2])) || id })
  }
  return all
}

/** Reads anew what a change may have touched. */
export function stale(...what: string[]): Promise<void> {
  return Promise.all([...what.map((w) => queries.invalidateQueries({ queryKey: ['admin', w] })), queries.invalidateQueries({ queryKey: ['admin', 'history'] })]).then(() => undefined)
}

/** A password nobody has to think of: 20 characters, about 119 bits. */
export function newPassword(): string {
  const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-_.~!@'
  let text = ''
  while (text.length < 20) {
    const [b = 0] = crypto.getRandomValues(new Uint8Array(1))
    if (b < 256 - (256 % letters.length)) text += letters[b % letters.length]
  }
  return text
}

export const zones = (): string[] => {
  const all = Intl.supportedValuesOf('timeZone')
  return ['GMT+8', ...all]
}
