// Authorizations as the desk reads them.
import { desk } from '../../kit/api'
import { unwrap } from '../../kit/errors'
import { language } from '../../kit/i18n.svelte'
import type { S } from '../data'

type Signal = { signal: AbortSignal }

export const authQuery = (id: string) => ({
  queryKey: ['auth', id, language()],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/authorizations/{authorization_id}', { params: { path: { authorization_id: id } }, signal })),
})

export const sessionsQuery = (id: string) => ({
  queryKey: ['auth', id, 'sessions'],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/authorizations/{authorization_id}/sessions', { params: { path: { authorization_id: id } }, signal }))).items,
})

export const recordsQuery = (id: string, session: number) => ({
  queryKey: ['auth', id, 'records', session],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/authorizations/{authorization_id}/sessions/{session_id}/records', { params: { path: { authorization_id: id, session_id: session } }, signal })),
})

/** Which states a tab of the list shows. */
export const tabs = { waiting: [6], asked: [0], granted: [1], refused: [2, 7], ended: [3, 4, 5], all: [] } as const satisfies Record<string, readonly S['AuthorizationStatus'][]>
export type Tab = keyof typeof tabs

/** So many pages of a tab as one list, and whether there are more. */
export const pageQuery = (tab: Tab, pages: number) => ({
  queryKey: ['approvals', tab, pages, language()],
  placeholderData: (before: { tab: Tab; items: S['Authorization'][]; more: boolean } | undefined) => (before?.tab === tab ? before : undefined),
  queryFn: async ({ signal }: Signal) => {
    const items: S['Authorization'][] = []
    let cursor: string | undefined
    for (let i = 0; i < pages; i++) {
      const page = await unwrap(desk.GET('/desk/v1/authorizations', { params: { query: { status: [...tabs[tab]], limit: 30, cursor } }, signal }))
      items.push(...page.items)
      cursor = page.next_cursor
      if (cursor === undefined) break
    }
    return { tab, items, more: cursor !== undefined }
  },
})

export const step = (id: string, body: S['AuthorizationStepReq']) => unwrap(desk.POST('/desk/v1/authorizations/{authorization_id}/steps', { params: { path: { authorization_id: id } }, body }))
