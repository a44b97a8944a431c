// The places of the administration: one line each. A place's page, its texts
// and what it needs are loaded when it is opened.
import type { Component } from 'svelte'
import { language } from '../../kit/i18n.svelte'
import { session, type Session } from '../../kit/session.svelte'

export type Role = NonNullable<Session['role']>
/** What a page gets: the parts of the address behind its place, as `['17', 'runs']` of `/desk/admin/rules/17/runs`. */
export interface PageProps {
  path: string[]
}
type Both = readonly [zh: string, en: string]
export type Group = 'service' | 'texts' | 'people' | 'messages' | 'system'

export interface Place {
  id: string
  group: Group
  /** Who may open it. */
  see: readonly Role[]
  /** Who may change something there. */
  change: readonly Role[]
  name: Both
  about: Both
  page: () => Promise<{ default: Component<PageProps> }>
}

const at = (id: string, group: Group, see: readonly Role[], change: readonly Role[], name: Both, about: Both, page: Place['page']): Place => ({ id, group, see, change, name, about, page })

// Who sees and who changes, as the policy of the desk's API has it.
export const administrators = ['administrator'] as const
export const supervisors = ['administrator', 'supervisor'] as const
export const auditors = ['administrator', 'auditor'] as const
export const overseers = ['administrator', 'supervisor', 'auditor'] as const
export const workers = ['administrator', 'supervisor', 'engineer'] as const
export const house = ['administrator', 'supervisor', 'engineer', 'auditor'] as const

export const groups: readonly { id: Group; name: Both }[] = [
  { id: 'service', name: ['服务内容', 'What we offer'] },
  { id: 'texts', name: ['文字与自动化', 'Texts and automation'] },
  { id: 'people', name: ['人员与权限', 'People and access'] },
  { id: 'messages', name: ['邮件与短信', 'Mail and messages'] },
  { id: 'system', name: ['系统', 'System'] },
]

export const places: readonly Place[] = [
  // What we offer
  at('agreements', 'service', house, administrators, ['协议', 'Agreements'], ['版本、发布、差别、谁签署过', 'Versions, publishing, differences, who signed'], () => import('./service/Agreements.svelte')),

  // Texts and automation

  // People and access

  // Mail and messages

  // System

]

/** One of two, in the language in use. */
export function own(both: Both): string {
  return both[language() === 'zh-cn' ? 0 : 1]
}

/** Whether the user's role is one of these. */
export function allowed(roles: readonly Role[]): boolean {
  const role = session()?.role
  return role !== undefined && session()?.partner_id === undefined && roles.includes(role)
}

/** Whether the user may change something at a place. */
export function mayChange(id: string): boolean {
  return allowed(places.find((p) => p.id === id)?.change ?? [])
}

/** The address of a place, or of something in it. */
export function adminPath(id: string, ...path: (string | number)[]): string {
  return ['/desk/admin', id, ...path].map((s, i) => (i === 0 ? s : encodeURIComponent(s))).join('/')
}

/** The place and the rest of an address of the desk (`/admin/rules/17`). */
export function placeOf(pathname: string): { place: Place | undefined; id: string; path: string[] } {
  const [id = '', ...path] = pathname.split('/').slice(2).filter(Boolean).map(decoded)
  return { place: places.find((p) => p.id === id), id, path }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
