// Times of the clocks of the reader's zone as instants: what a field for a date
// or a time holds, wherever the browser is.
import { prefs } from './prefs.svelte'

/** What the clocks of a zone show at an instant (milliseconds), as if they showed UTC. */
function shown(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).formatToParts(at)
  const of = (type: string) => Number(parts.find((p) => p.type === type)?.value)
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'))
}

/**
 * The instant at which the clocks of the reader's zone show a time, as a field
 * holds it: 2026-11-25T09:00 is 01:00 UTC for Shanghai. An hour that the clocks
 * pass over is the one before it. An invalid Date for what is no time.
 */
export function instant(local: string, zone = prefs.zone): Date {
  const utc = Date.parse(`${local}Z`)
  if (Number.isNaN(utc)) return new Date(NaN)
  try {
    let at = utc - (shown(utc, zone) - utc)
    at -= shown(at, zone) - utc // where the clock was changed in between
    return new Date(at)
  } catch {
    return new Date(local) // a zone this browser does not know: its own
  }
}

/** The instant a day begins in the reader's zone: 2026-11-25 is 2026-11-24T16:00:00Z for Shanghai. `days` later, at a full hour, where that is said. */
export function begins(day: string, zone = prefs.zone, days = 0, hour = 0): Date {
  const utc = Date.parse(`${day}T00:00:00Z`)
  if (Number.isNaN(utc)) return new Date(NaN)
  return instant(new Date(utc + days * 86_400_000 + hour * 3_600_000).toISOString().slice(0, 16), zone)
}

/** The day it is in the reader's zone: 2026-11-25. */
export function today(at = Date.now(), zone = prefs.zone): string {
  try {
    return new Date(shown(at, zone)).toISOString().slice(0, 10)
  } catch {
    return new Date(at).toISOString().slice(0, 10)
  }
}

/** A zone as people read it: Etc/GMT-8, whose sign is turned round, is GMT+8. */
export function zoneName(zone: string): string {
  const [, sign, hours] = /^Etc\/GMT([+-])(\d{1,2})$/.exec(zone) ?? []
  return sign === undefined ? zone : `GMT${sign === '-' ? '+' : '-'}${hours}`
}
