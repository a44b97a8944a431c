// What the knowledge pages read.
import { desk } from '../../kit/api'
import { unwrap } from '../../kit/errors'
import { language } from '../../kit/i18n.svelte'
import { queries } from '../../kit/query'
import type { S } from '../data'

export type Item = S['ArticleItem']
export type Article = S['Article']
export type Version = S['ArticleVersionItem']
type Signal = { signal: AbortSignal }

export const page = 50
/** Days without a change after which an article should be looked at. */
export const staleDays = 180

export interface Shelf {
  q: string
  state: string
  audience: string
  lacks: string
  care: string // pending, stale
  product: string
  tag: string
  cursor: string
}

/** Midnight so many days ago: the same for a day, so that an answer can be kept. */
const daysAgo = (days: number) => new Date(Math.floor(Date.now() / 86_400_000 - days) * 86_400_000).toISOString()

export const articlesQuery = (f: Shelf) => ({
  queryKey: ['articles', f, language()],
  queryFn: ({ signal }: Signal) =>
    unwrap(
      desk.GET('/desk/v1/articles', {
        params: {
          query: {
            q: f.q || undefined,
            state: (f.state || undefined) as Item['state'] | undefined,
            visibility: (f.audience || undefined) as Item['visibility'] | undefined,
            lacks: (f.lacks || undefined) as S['Language'] | undefined,
            pending: f.care === 'pending' || undefined,
            changed_before: f.care === 'stale' ? daysAgo(staleDays) : undefined,
            product: f.product || undefined,
            tag: f.tag || undefined,
            cursor: f.cursor || undefined,
            limit: page,
          },
        },
        signal,
      }),
    ),
})

export const findQuery = (q: string) => ({
  queryKey: ['articles', 'find', q, language()],
  enabled: q !== '',
  retry: false,
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/articles', { params: { query: { q, limit: 12 } }, signal }))).items,
})

export const articleQuery = (slug: string) => ({
  queryKey: ['article', slug, language()],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/articles/{article}', { params: { path: { article: slug } }, signal })),
})

export const versionsQuery = (slug: string, version: number) => ({
  queryKey: ['versions', slug, version, language()],
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/articles/{article}/versions', { params: { path: { article: slug }, query: { limit: 100 } }, signal })),
})

export const differencesQuery = (slug: string, from: number, to: number) => ({
  queryKey: ['differences', slug, from, to],
  enabled: from > 0 && to > 0 && from !== to,
  staleTime: Infinity, // versions never change
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/articles/{article}/differences', { params: { path: { article: slug }, query: { from, to } }, signal }))).items,
})

export const usesQuery = (slug: string) => ({
  queryKey: ['uses', slug, language()],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/articles/{article}/tickets', { params: { path: { article: slug } }, signal }))).items,
})

export const figuresQuery = () => ({
  queryKey: ['articlefigures', language()],
  staleTime: 60_000,
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/article-figures', { signal })),
})

export const namesQuery = () => ({
  queryKey: ['names', language()],
  staleTime: 10 * 60_000,
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/catalog/names', { signal })),
})

export const linkedQuery = (number: string) => ({
  queryKey: ['ticketarticles', number, language()],
  retry: false,
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/tickets/{number}/articles', { params: { path: { number } }, signal }))).items,
})

export const suggestedQuery = (number: string) => ({
  queryKey: ['suggested', number, language()],
  retry: false,
  staleTime: 5 * 60_000,
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.POST('/desk/v1/article-suggestions', { body: { number }, signal }))).items,
})

export const helped = (slug: string, helpful: boolean) => unwrap(desk.POST('/desk/v1/articles/{article}/feedback', { params: { path: { article: slug } }, body: { helpful } }))

/** After a change of an article: whatever shows it is read anew. */
export function changedArticle(a?: Article): void {
  for (const key of ['articles', 'article', 'versions', 'articlefigures']) void queries.invalidateQueries({ queryKey: [key] })
  if (a !== undefined) queries.setQueryData(articleQuery(a.slug).queryKey, a)
}

/** Shape and colour of a state. */
export const shape = (state: Item['state']) => ({ draft: 'new', published: 'done', archived: 'off' })[state]
