// What concerns the person alone, said when it happens. Only the tab that is
// looked at says it.
import type { LiveEvent } from '../kit/live'
import { toast } from '../kit/say.svelte'
import { goto, ticketPath } from './places.svelte'
import { t, type Key } from './texts'

const known = ['assigned', 'mentioned', 'authorized', 'warned', 'escalated', 'breached', 'woken', 'withheld', 'bulk', 'rule.failed', 'rule.off']
const grave = ['breached', 'escalated', 'withheld', 'rule.failed', 'rule.off']
/** Bulk runs of this tab: it says itself what became of them. */
const own = { running: 0, done: new Set<string>() }
const said = new Map<string, number>() // what, of which, and when: a rule that fails for each ticket is said once a minute

/** Runs something in bulk that answers its id. */
export async function ownBulk<T extends { id: string }>(run: () => Promise<T>): Promise<T> {
  own.running++
  try {
    const got = await run()
    own.done.add(got.id)
    return got
  } finally {
    own.running--
  }
}

export function noticed(e: LiveEvent): void {
  const what = String(e.data['notice'] ?? '')
  const id = String(e.data['id'] ?? '')
  const ticket = e.data.ticket
  if (!known.includes(what) || document.visibilityState === 'hidden') return
  if (what === 'bulk' && (own.running > 0 || own.done.has(id))) return
  const once = `${what} ${id || (ticket ?? '')}`
  if (Date.now() - (said.get(once) ?? 0) < 60_000) return
  said.set(once, Date.now())
  toast(t(`notice.${what}` as Key, { number: ticket ?? '' }), {
    bad: grave.includes(what),
    stay: 12_000,
    action: ticket === undefined ? undefined : { label: t('open'), run: () => goto(ticketPath(ticket)) },
  })
}
