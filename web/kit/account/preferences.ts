// The user's preferences on the server, and what this browser takes from them.
import { web } from '../api'
import type { components } from '../api/web'
import { unwrap } from '../errors'
import { purge } from '../old'
import { chosen, prefs, setPrefs, type Prefs } from '../prefs.svelte'
import { queries } from '../query'

export type Preferences = components['schemas']['OwnPreferences']
const queryKey = ['preferences']

export const preferencesQuery = () => ({
  queryKey,
  staleTime: 60_000,
  queryFn: ({ signal }: { signal: AbortSignal }) => unwrap(web.GET('/web/v1/me/preferences', { signal })),
})

/** Sets what is given, at the server. */
export async function setPreferences(change: Preferences): Promise<void> {
  queries.setQueryData(queryKey, await unwrap(web.PUT('/web/v1/me/preferences', { body: change })))
}

/** How a zone stands to UTC now, as +08:00. */
function offset(zone: string): string {
  const part = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' }).formatToParts().find((p) => p.type === 'timeZoneName')
  return part?.value.replace('GMT', '') || '+00:00'
}

/**
 * The zone the pages shall show for the account's: a named one as it is; of a
 * bare GMT+8 the browser's own, while it stands alike, else the one with a name
 * browsers know (Etc/GMT-8 is GMT+8).
 */
function zoneOf(zone: string | undefined): string | undefined {
  const gmt = /^(?:GMT|UTC)([+-])(\d{1,2})$/.exec(zone ?? '')
  try {
    if (gmt === null) return zone === undefined ? undefined : new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone
    if (offset(prefs.zone) === `${gmt[1]}${(gmt[2] ?? '').padStart(2, '0')}:00`) return prefs.zone
    return `Etc/GMT${gmt[1] === '+' ? '-' : '+'}${Number(gmt[2])}`
  } catch {
    return undefined
  }
}

/**
 * Takes over what follows the user: zone and keys always, the look where this
 * browser has none of its own. The language stays the browser's. What this
 * browser has kept too long goes: it is a moment when nobody waits.
 */
export async function takeOver(): Promise<void> {
  purge()
  const p = await queries.fetchQuery(preferencesQuery()).catch(() => undefined) // it stays as it is
  if (p === undefined) return
  const change: Partial<Prefs> = {}
  const zone = zoneOf(p.time_zone)
  if (zone !== undefined && zone !== prefs.zone) change.zone = zone
  if (p.single_keys !== undefined && p.single_keys !== prefs.keys) change.keys = p.single_keys
  if (p.keys !== undefined && JSON.stringify(p.keys) !== JSON.stringify(prefs.remap)) change.remap = p.keys
  if (p.theme !== undefined && chosen().theme === undefined && p.theme !== prefs.theme) change.theme = p.theme
  if (Object.keys(change).length > 0) setPrefs(change)
}
