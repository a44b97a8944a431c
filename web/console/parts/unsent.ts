// Replies that failed or were on their way when their page was left: kept on
// this device with their keys, for every page that shows the ticket.
import { drop, keep, kept } from '../../kit/drafts'

export interface Left {
  once: string // the request's own key, however often it is tried
  at: number // of the first try, in ms
  group: string
  text: string
  files: string[]
  failed: string // why; '' = it was on its way
}

/** The server knows a key again for 24 hours; past this, trying again may send twice. */
export const stale = (x: Pick<Left, 'at'>, now: number): boolean => now - x.at > 23 * 3_600_000

const place = (ticket: string) => `unsent.${ticket}`
// What this page took from the store or put there. The rest of it is other pages' own.
const mine = new Set<string>()

/** What stands to be sent of a ticket. */
export function unsent(user: string, ticket: string): Left[] {
  const there = kept<Left[]>(user, place(ticket))
  if (there === undefined) return []
  for (const x of there.value) mine.add(x.once)
  return there.value.map((x) => ({ ...x, at: x.at ?? there.at })) // older pages kept no time of each
}

/** Keeps what this page has of a ticket, beside what other pages keep. What was kept and is not there any more was sent or given up on another page. */
export function keepUnsent(user: string, ticket: string, left: Left[]): void {
  const there = kept<Left[]>(user, place(ticket))?.value ?? []
  const has = (list: Left[], x: Left) => list.some((y) => y.once === x.once)
  const all = [...there.filter((x) => !mine.has(x.once)), ...left.filter((x) => !mine.has(x.once) || has(there, x))]
  for (const x of there) if (!has(left, x)) mine.delete(x.once)
  if (all.length === 0) return drop(user, place(ticket))
  if (keep(user, place(ticket), all) > 0) for (const x of left) mine.add(x.once)
}
