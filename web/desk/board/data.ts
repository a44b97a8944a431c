// What the board reads, and the addresses of what it counts.
import { desk } from '../../kit/api'
import type { Every, Range } from '../../kit/chart/range'
import { unwrap } from '../../kit/errors'
import { language } from '../../kit/i18n.svelte'
import { prefs } from '../../kit/prefs.svelte'
import type { S } from '../data'
import { save } from '../files'

export type Figure = S['ReportFigure']
export type Row = S['ReportTicket']
type Dim = S['ReportDimension']
type Signal = { signal: AbortSignal }

/** Filters by the names they have in addresses and in the API. */
export const dims = ['team_id', 'engineer_id', 'product_category_id', 'severity_id', 'language', 'channel', 'domain_id'] as const
export type Filters = Partial<Record<(typeof dims)[number], string>>
const dimOf: Record<(typeof dims)[number], Dim> = { team_id: 'team', engineer_id: 'engineer', product_category_id: 'product', severity_id: 'severity', language: 'language', channel: 'channel', domain_id: 'domain' }
export const paramOf = (d: Dim) => dims.find((x) => dimOf[x] === d)

export function filtersOf(q: URLSearchParams): Filters {
  return Object.fromEntries(dims.flatMap((d) => (q.get(d) ? [[d, q.get(d) ?? '']] : [])))
}

export const specsQuery = () => ({
  queryKey: ['reports', language()],
  staleTime: 10 * 60_000,
  queryFn: async ({ signal }: Signal) => new Map((await unwrap(desk.GET('/desk/v1/reports', { signal }))).items.map((r) => [r.name, r])),
})
type Specs = Awaited<ReturnType<ReturnType<typeof specsQuery>['queryFn']>>

/** The filters that a report knows, and those it does not. */
export function fitting(specs: Specs | undefined, name: string, f: Filters): { use: Filters; not: (keyof Filters)[] } {
  const by = specs?.get(name)?.by
  const keys = Object.keys(f) as (keyof Filters)[]
  const not = by === undefined ? [] : keys.filter((k) => !by.includes(dimOf[k]))
  return { use: Object.fromEntries(keys.filter((k) => !not.includes(k)).map((k) => [k, f[k]])), not }
}

export interface Ask {
  name: string
  range?: Pick<Range, 'from' | 'to'> // none: a report of now
  every?: Every
  by?: Dim
}
const queryOf = (a: Ask, f: Filters) => ({ ...f, from: a.range?.from, to: a.range?.to, every: a.every, by: a.by }) as Record<string, string>

/** Reports wait until it is known which filters they take. */
export const reportQuery = (a: Ask, filters: Filters, specs: Specs | undefined) => ({
  queryKey: ['report', a, fitting(specs, a.name, filters).use, prefs.zone, language()],
  enabled: specs !== undefined,
  refetchInterval: 60_000,
  staleTime: 20_000,
  queryFn: ({ signal }: Signal) => unwrap(desk.GET('/desk/v1/reports/{name}', { params: { path: { name: a.name }, query: queryOf(a, fitting(specs, a.name, filters).use) }, signal })),
})
export type Report = S['Report']

export async function download(a: Ask, f: Filters, format: 'csv' | 'xlsx'): Promise<void> {
  const blob = await unwrap(desk.GET('/desk/v1/reports/{name}/file', { params: { path: { name: a.name }, query: { ...queryOf(a, f), format } }, parseAs: 'blob' }))
  save(blob as unknown as Blob, `${[a.name, a.range?.from, a.range?.to].filter(Boolean).join('-')}.${format}`)
}

/** Which tickets a number counts. */
export interface What {
  measure: string
  details?: string[] // none: all
  from?: number
  to?: number
  verdict?: 'met' | 'missed'
}

/** The address of the tickets behind a number; `back` is the board's own query. */
export function listHref(name: string, w: What, f: Filters, back: string): string {
  const q = new URLSearchParams({ measure: w.measure })
  if (w.details !== undefined && w.details.length > 0) q.set('detail', w.details.join())
  if (w.from !== undefined) q.set('from', new Date(w.from).toISOString())
  if (w.to !== undefined) q.set('to', new Date(w.to).toISOString())
  if (w.verdict !== undefined) q.set('verdict', w.verdict)
  for (const [k, v] of Object.entries(f)) if (v) q.set(k, v)
  if (back !== '') q.set('back', back.replace(/^\?/, ''))
  return `/desk/board/${name}?${q.toString()}`
}

/** The address for a figure of a report, undefined for one that counts no tickets. */
export function figureHref(r: Report, fig: Figure, f: Filters, back: string): string | undefined {
  if (!fig.listed || fig.count === 0) return undefined
  const param = r.by === undefined ? undefined : paramOf(r.by)
  const group = param === undefined || fig.group === undefined ? {} : { [param]: fig.group === '' ? 'none' : fig.group }
  // What is now has no time, whatever else its report tells.
  const now = fig.measure === 'open' || fig.measure === 'age'
  return listHref(r.name, { measure: fig.measure, details: fig.detail === undefined ? undefined : [fig.detail], from: now ? undefined : (fig.from_ms ?? r.from_ms), to: now ? undefined : (fig.to_ms ?? r.to_ms) }, { ...f, ...group }, back)
}

export const most = 1000
/** All tickets of a number, at most a thousand, oldest first. */
export async function listed(name: string, w: { measure: string; details: string[]; from?: string; to?: string; verdict?: string }, f: Filters, signal: AbortSignal): Promise<{ items: Row[]; more: boolean }> {
  const out: Row[] = []
  let more = false
  for (const detail of w.details.length > 0 ? w.details : [undefined]) {
    let cursor: string | undefined
    do {
      const page = await unwrap(desk.GET('/desk/v1/reports/{name}/tickets', { params: { path: { name }, query: { ...(f as Record<string, string>), measure: w.measure, detail, from: w.from, to: w.to, cursor, limit: 100 } }, signal }))
      out.push(...page.items)
      cursor = page.next_cursor
    } while (cursor !== undefined && out.length < most)
    more ||= cursor !== undefined
  }
  const items = out.filter((x) => w.verdict === undefined || x.verdict === w.verdict)
  return { items: w.details.length > 1 ? items.sort((a, b) => a.at_ms - b.at_ms) : items, more }
}
