// When a promise made now would be due, by a calendar: the same arithmetic as the
// server's, for the simulator.
import type { Calendar } from './config.svelte'

const week = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
const minute = 60_000
const day = 86_400_000

/** Minutes of a time such as 30m, 4h or 2d; a working day is as long as the longest of the week. undefined = not written so. */
export function minutes(text: string, calendar: Calendar | undefined): number | undefined {
  const m = /^(\d{1,6})([mhd])$/.exec(text.trim())
  if (m === null) return undefined
  const n = Number(m[1])
  return m[2] === 'm' ? n : m[2] === 'h' ? n * 60 : n * longest(calendar)
}

function spans(list: string[] | undefined): [number, number][] {
  return (list ?? []).flatMap((s) => {
    const m = /^(\d\d):(\d\d)-(\d\d):(\d\d)$/.exec(s)
    return m === null ? [] : [[Number(m[1]) * 60 + Number(m[2]), Number(m[3]) * 60 + Number(m[4])] as [number, number]]
  })
}
const length = (list: string[] | undefined) => spans(list).reduce((n, [a, b]) => n + b - a, 0)
function longest(c: Calendar | undefined): number {
  return Math.max(0, ...week.map((w) => length(c?.hours[w]))) || 1440
}

/** What is to be added to UTC at an instant, in milliseconds. */
function offset(zone: string, at: number): number {
  const g = /^(?:GMT|UTC)(?:([+-])(\d{1,2})(?::(\d\d))?)?$/.exec(zone)
  if (g !== null) return (g[1] === '-' ? -1 : 1) * (Number(g[2] ?? 0) * 60 + Number(g[3] ?? 0)) * minute
  const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' }).formatToParts(at)
  const n = (type: string) => Number(parts.find((p) => p.type === type)?.value ?? 0)
  return Date.UTC(n('year'), n('month') - 1, n('day'), n('hour'), n('minute'), n('second')) - Math.floor(at / 1000) * 1000
}

/** The instant that so many counted minutes from `from` end at; undefined when nothing counts within two years. */
export function due(calendar: Calendar, target: string, from: number): number | undefined {
  let left = minutes(target, calendar)
  if (left === undefined || left === 0) return undefined
  left *= minute
  const first = calendar.hours[week.slice(1).concat('sunday').find((w) => (calendar.hours[w] ?? []).length > 0) ?? 'monday']
  const local = from + offset(calendar.zone, from)
  for (let d = Math.floor(local / day) * day, i = 0; i < 730; d += day, i++) {
    const date = new Date(d).toISOString().slice(0, 10)
    const extra = calendar.workdays?.find((w) => w.date === date)
    const off = calendar.holidays?.some((h) => date >= h.from && date <= (h.to || h.from))
    const hours = extra ? (extra.hours?.length ? extra.hours : first) : off ? [] : calendar.hours[week[new Date(d).getUTCDay()] ?? '']
    for (const [a, b] of spans(hours)) {
      // Back to UTC with the offset that holds there.
      const at = (wall: number) => wall - offset(calendar.zone, wall - offset(calendar.zone, wall))
      const [begin, end] = [Math.max(at(d + a * minute), from), at(d + b * minute)]
      if (end <= begin) continue
      if (left <= end - begin) return begin + left
      left -= end - begin
    }
  }
  return undefined
}
