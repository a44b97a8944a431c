// Instants as the user reads them: in the user's zone, in the user's language.
import { intl, language } from './i18n.svelte'
import { prefs } from './prefs.svelte'

export type Instant = string | number | Date

/** A clock for what burns down; one timer for the page, stopped while nobody looks. */
const tick = $state({ now: Date.now(), minute: 0 })
const minute = () => (tick.minute = tick.now - (tick.now % 60_000))
minute()
if (typeof document !== 'undefined') {
  setInterval(() => {
    if (document.visibilityState !== 'visible') return
    tick.now = Date.now()
    minute()
  }, 1000)
}
export function now(): number {
  return tick.now
}

const formats = new Map<string, Intl.DateTimeFormat>()
function format(kind: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${kind} ${intl()} ${prefs.zone}`
  let f = formats.get(key)
  if (f === undefined) {
    try {
      f = new Intl.DateTimeFormat(intl(), { ...options, timeZone: prefs.zone })
    } catch {
      f = new Intl.DateTimeFormat(intl(), options)
    }
    formats.set(key, f)
  }
  return f
}

export function toDate(at: Instant | undefined | null): Date | undefined {
  if (at === undefined || at === null || at === '' || at === 0) return undefined
  const d = new Date(at)
  return Number.isNaN(d.getTime()) || d.getTime() < 0 ? undefined : d
}

/** 2026-11-25 22:36:09 GMT+8; the zone last, which Chinese formats put between day and time. */
export function full(at: Instant | undefined | null): string {
  const d = toDate(at)
  if (d === undefined) return '–'
  const text = format('full', { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(d)
  return `${text} ${format('zone', { timeZoneName: 'short' }).formatToParts(d).find((p) => p.type === 'timeZoneName')?.value}`
}

/** 2026-11-25, the day in the user's zone. */
export function day(d: Date): string {
  return format('day', { year: 'numeric', month: '2-digit', day: '2-digit' }).format(d)
}

export function clock(at: Instant): string {
  return format('clock', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(new Date(at))
}

const words = {
  'zh-cn': { today: '今天', tomorrow: '明天', yesterday: '昨天' },
  'en-us': { today: 'today', tomorrow: 'tomorrow', yesterday: 'yesterday' },
}

/** Today 12:47, yesterday 09:00, 11-20 08:15, 2025-11-20. The day is looked at once a minute: a list has many of these. */
export function when(at: Instant | undefined | null, from = tick.minute): string {
  const d = toDate(at)
  if (d === undefined) return '–'
  const w = words[language()]
  const date = day(d)
  if (date === day(new Date(from))) return `${w.today} ${clock(d)}`
  if (date === day(new Date(from - 86_400_000))) return `${w.yesterday} ${clock(d)}`
  if (date === day(new Date(from + 86_400_000))) return `${w.tomorrow} ${clock(d)}`
  const year = format('year', { year: 'numeric' })
  if (year.format(d) === year.format(new Date(from)))
    return format('near', { month: language() === 'zh-cn' ? '2-digit' : 'short', day: '2-digit', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(d)
  return format('far', { year: 'numeric', month: language() === 'zh-cn' ? '2-digit' : 'short', day: '2-digit' }).format(d)
}

/** The zone as the header X-Time-Zone names it. */
export function zoneHeader(): string {
  return prefs.zone
}
