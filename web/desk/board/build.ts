// Reports as charts and tables.
import { amount } from '../../kit/chart/amount'
import type { Cell, Model, Series, Table, Tone } from '../../kit/chart/model'
import { periodsOf, short, type Range } from '../../kit/chart/range'
import { figureHref, listHref, type Figure, type Filters, type Report } from './data'

export interface Built {
  model: Model
  table: Table
}
const uniq = <T>(list: T[]) => [...new Set(list)]
const count = (n: number): string => amount(n, 'count')
const cellOf = (r: Report, x: Figure | undefined, f: Filters, back: string): Cell => (x === undefined ? { text: '0' } : { text: count(x.count), href: figureHref(r, x, f, back) })

/** Counts in rows (groups, or details) and columns; one bar of each. */
export function matrix(r: Report, f: Filters, back: string, o: { rows: { id: string; name: string }[]; row: (x: Figure) => string; columns: { id: string; name: string; tone: Tone }[]; column: (x: Figure) => string; head: string; stacked?: boolean; sideways?: boolean; total?: string }): Built {
  const at = (row: string, column: string) => r.figures.find((x) => o.row(x) === row && o.column(x) === column)
  const series: Series[] = o.columns.map((c) => ({ name: c.name, tone: c.tone, values: o.rows.map((row) => at(row.id, c.id)?.count ?? 0), hrefs: o.rows.map((row) => cellOf(r, at(row.id, c.id), f, back).href) }))
  const rows = o.rows.map((row) => {
    const cells = o.columns.map((c) => cellOf(r, at(row.id, c.id), f, back))
    return { head: row.name, cells: o.total === undefined ? cells : [...cells, { text: count(o.columns.reduce((n, c) => n + (at(row.id, c.id)?.count ?? 0), 0)) }] }
  })
  return { model: { kind: 'bar', labels: o.rows.map((x) => x.name), series, unit: 'count', stacked: o.stacked, sideways: o.sideways }, table: { columns: [o.head, ...o.columns.map((c) => c.name), ...(o.total === undefined ? [] : [o.total])], rows } }
}

/** Counts of periods, a series for each of what `key` tells apart. */
export function byPeriod(r: Report, range: Range, f: Filters, back: string, o: { series: { key: string; name: string; tone: Tone }[]; key: (x: Figure) => string; head: string; stacked?: boolean; line?: boolean }): Built {
  const periods = periodsOf(range)
  const at = (p: string, key: string) => r.figures.filter((x) => x.period === p && o.key(x) === key)
  const cell = (p: string, key: string): Cell => {
    const found = at(p, key)
    const n = found.reduce((sum, x) => sum + x.count, 0)
    const one = found[0]
    if (one === undefined || !one.listed || n === 0) return { text: count(n) }
    // Several sorts of it are one number here, and one list.
    const details = uniq(found.flatMap((x) => (x.detail === undefined ? [] : [x.detail])))
    return { text: count(n), href: listHref(r.name, { measure: one.measure, details, from: one.from_ms, to: one.to_ms }, f, back) }
  }
  const used = o.series.filter((s) => r.figures.some((x) => o.key(x) === s.key))
  return {
    model: {
      kind: o.line ? 'line' : 'bar',
      labels: used.length === 0 ? [] : periods.map(short),
      unit: 'count',
      stacked: o.stacked,
      series: used.map((s) => ({ name: s.name, tone: s.tone, values: periods.map((p) => at(p, s.key).reduce((n, x) => n + x.count, 0)), hrefs: periods.map((p) => cell(p, s.key).href) })),
    },
    table: { columns: [o.head, ...used.map((s) => s.name)], rows: periods.map((p) => ({ head: p, cells: used.map((s) => cell(p, s.key)) })) },
  }
}

/** How long something took, period by period: the half, nine of ten, and what was in time. */
export function durations(r: Report, range: Range, f: Filters, back: string, say: { period: string; count: string; p50: string; p90: string; met: string; missed: string }): Built {
  const periods = periodsOf(range)
  const at = (p: string) => r.figures.find((x) => x.period === p)
  const href = (p: string) => {
    const x = at(p)
    return x === undefined ? undefined : figureHref(r, x, f, back)
  }
  const series = (name: string, tone: Tone, of: (x: Figure) => number | undefined): Series => ({ name, tone, values: periods.map((p) => (at(p) === undefined ? null : (of(at(p) as Figure) ?? null))), hrefs: periods.map(href) })
  return {
    model: { kind: 'line', labels: r.figures.length === 0 ? [] : periods.map(short), unit: 'ms', series: [series(say.p50, 'brand', (x) => x.p50), series(say.p90, 'you', (x) => x.p90)] },
    table: {
      columns: [say.period, say.count, say.p50, say.p90, say.met, say.missed],
      rows: periods.map((p) => {
        const x = at(p)
        if (x === undefined) return { head: p, cells: Array.from({ length: 5 }, (_, i) => ({ text: i === 0 ? '0' : '–' })) }
        const missed = x.missed ?? 0
        return {
          head: p,
          cells: [
            cellOf(r, x, f, back),
            { text: x.p50 === undefined ? '–' : amount(x.p50, 'ms') },
            { text: x.p90 === undefined ? '–' : amount(x.p90, 'ms') },
            { text: x.met_per_mille === undefined ? '–' : amount(x.met_per_mille / 10, 'percent') },
            { text: x.missed === undefined ? '–' : count(missed), href: missed > 0 ? listHref(r.name, { measure: x.measure, from: x.from_ms, to: x.to_ms, verdict: 'missed' }, f, back) : undefined },
          ],
        }
      }),
    },
  }
}

/** Points by what was asked: the average of each. */
export function averages(r: Report, f: Filters, back: string, say: { head: string; average: string; count: string }): Built {
  const all = r.figures.filter((x) => x.measure === 'score')
  const of = (x: Figure) => (x.count === 0 ? null : (x.sum ?? 0) / x.count)
  return {
    model: { kind: 'bar', sideways: true, labels: all.map((x) => x.detail_name ?? ''), unit: 'points', series: [{ name: say.average, tone: 'brand', values: all.map(of), hrefs: all.map((x) => figureHref(r, x, f, back)) }] },
    table: { columns: [say.head, say.average, say.count], rows: all.map((x) => ({ head: x.detail_name ?? '', cells: [{ text: amount(of(x) ?? 0, 'points') }, cellOf(r, x, f, back)] })) },
  }
}

export const groupsOf = (r: Report, nobody: string) => uniq(r.figures.map((x) => x.group ?? '')).map((id) => ({ id, name: id === '' ? nobody : (r.figures.find((x) => (x.group ?? '') === id)?.group_name ?? id) }))
export const detailsOf = (list: Figure[]) => uniq(list.map((x) => x.detail ?? '')).map((id) => ({ id, name: list.find((x) => (x.detail ?? '') === id)?.detail_name ?? id }))
export const sum = (list: Figure[]) => list.reduce((n, x) => n + x.count, 0)
