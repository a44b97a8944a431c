// The time a page of charts is about, as it stands in the address.
import { prefs } from '../prefs.svelte'

export type Every = 'day' | 'week' | 'month'
export const spans = [7, 30, 90, 365] as const

/** A day of the user's zone as 2026-11-25. */
export function dayOf(at: number): string {
  const shape = { year: 'numeric', month: '2-digit', day: '2-digit' } as const
  try {
    return new Intl.DateTimeFormat('en-CA', { ...shape, timeZone: prefs.zone }).format(at)
  } catch {
    return new Intl.DateTimeFormat('en-CA', shape).format(at)
  }
}
const isDay = (text: string | null): text is string => text !== null && /^\d{4}-\d{2}-\d{2}$/.test(text)
const days = (from: string, to: string) => Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000) + 1

export interface Range {
  from: string // days, both within it
  to: string
  every: Every
  span: number // of the last so many days; 0 = chosen by days
}

/** Of the address's `days`, or `from` and `to`, and `every`; 30 days without them. */
export function rangeOf(q: URLSearchParams, now = Date.now()): Range {
  const [from, to, every] = [q.get('from'), q.get('to'), q.get('every')]
  let range = { from: '', to: '', span: 0 }
  if (isDay(from) && isDay(to) && from <= to) range = { from, to, span: 0 }
  else {
    const span = spans.find((s) => String(s) === q.get('days')) ?? 30
    range = { from: dayOf(now - (span - 1) * 86_400_000), to: dayOf(now), span }
  }
  const n = days(range.from, range.to)
  return { ...range, every: every === 'day' || every === 'week' || every === 'month' ? every : n <= 31 ? 'day' : n <= 190 ? 'week' : 'month' }
}

/** All periods of a range in their order, so that one without figures is a gap and not missing. */
export function periodsOf(r: Range): string[] {
  const out: string[] = []
  for (let at = Date.parse(r.from); at <= Date.parse(r.to); at += 86_400_000) {
    const day = new Date(at).toISOString().slice(0, 10)
    const name = r.every === 'day' ? day : r.every === 'month' ? day.slice(0, 7) : weekOf(at)
    if (out.at(-1) !== name) out.push(name)
  }
  return out
}

/** The ISO week of a day: weeks begin on Monday, the first one holds the year's first Thursday. */
export function weekOf(at: number): string {
  const thursday = new Date(at)
  thursday.setUTCDate(thursday.getUTCDate() + 3 - ((thursday.getUTCDay() + 6) % 7))
  const week = Math.floor((thursday.getTime() - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / (7 * 86_400_000)) + 1
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`
}

/** 11-25 of 2026-11-25, where the year is clear. */
export const short = (period: string) => (/^\d{4}-\d{2}-\d{2}$/.test(period) ? period.slice(5) : period)
