// What the knowledge pages read and say.
import { web } from '../../kit/api'
import type { components } from '../../kit/api/web'
import { unwrap } from '../../kit/errors'
import { language, type Language } from '../../kit/i18n.svelte'

export type Item = components['schemas']['ArticleItem']
export type Article = components['schemas']['Article']
export type Suggestion = components['schemas']['ArticleSuggestion']

export interface Shelf {
  q?: string
  product?: string
  tag?: string
  cursor?: string
}
export const page = 20

export const articlesQuery = (f: Shelf) => ({
  queryKey: ['articles', f, language()],
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    unwrap(web.GET('/web/v1/articles', { params: { query: { q: f.q || undefined, product_category_id: f.product || undefined, tag: f.tag || undefined, cursor: f.cursor || undefined, limit: page } }, signal })),
})

/** `suggestion` is the one it was opened from, so that suggestions can be judged by their use. */
export const articleQuery = (slug: string, lang: Language, suggestion = '') => ({
  queryKey: ['article', slug, lang],
  staleTime: 60_000,
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    unwrap(web.GET('/web/v1/articles/{slug}', { params: { path: { slug }, query: { suggestion_id: suggestion || undefined } }, headers: { 'X-Language': lang }, signal })),
})

export const helped = (slug: string, helpful: boolean) => unwrap(web.POST('/web/v1/articles/{slug}/feedback', { params: { path: { slug } }, body: { helpful } }))

export const ownReportQuery = (name: 'flow' | 'first_answer' | 'scores', f: { from: string; to: string; every: 'day' | 'week' | 'month' | undefined }) => ({
  queryKey: ['ownreport', name, f, language()],
  queryFn: ({ signal }: { signal: AbortSignal }) => unwrap(web.GET('/web/v1/reports/{name}', { params: { path: { name }, query: f }, signal })),
})
