// Steps of an engineer from wherever they are asked: with the version that was
// seen, with what to say afterwards, and with the way back.
import { desk } from '../kit/api'
import { unwrap } from '../kit/errors'
import { session } from '../kit/session.svelte'
import { toast } from '../kit/say.svelte'
import { sayAll } from '../kit/text'
import { Conflicted, step, type S, type Ticket } from './data'
import { list } from './list.svelte'
import { changed } from './live.svelte'
import { ownBulk } from './notices'
import { takeable } from './takeback'
import { t, type Key } from './texts'

export function failed(e: unknown): void {
  if (e instanceof Conflicted && e.conflict.changes.length > 0) {
    const c = e.conflict.changes.at(-1)
    toast(t('conflict.toast', { who: c?.actor_name ?? 'Casemate', what: kindName(`ticket.${c?.kind ?? 'change'}`) }), { bad: true })
  } else toast(sayAll(e), { bad: true })
}

/** The words for a kind of event. */
export function kindName(kind: string): string {
  const key = `h.${kind.replace(/^ticket\./, '')}` as Key
  const text = t(key)
  return text === key ? t('h.change') : text
}

interface Back {
  text: string
  at: number
  run: () => Promise<void>
}
const back = $state<{ all: Back[] }>({ all: [] })
const kept = 10 * 60_000 // ms a change stays under the key; the history has no such end

/** What the key would take back, "" = nothing. */
export function canUndo(): string {
  const last = back.all.at(-1)
  return last !== undefined && Date.now() - last.at < kept ? last.text : ''
}
export async function undoLast(): Promise<void> {
  const last = back.all.at(-1)
  if (last === undefined || canUndo() === '') {
    toast(t('undo.none'))
    return
  }
  await last.run()
}

/** Says what was done, with the way back that the key `Z` goes as well. */
export function reversible(text: string, run: () => Promise<void>, options: { bad?: boolean; stay?: number } = {}): void {
  const one: Back = {
    text,
    at: Date.now(),
    run: async () => {
      back.all = back.all.filter((b) => b.at !== one.at)
      await run()
    },
  }
  back.all = [...back.all.slice(-19), one]
  toast(text, { stay: 10_000, ...options, action: { label: t('undo'), run: () => void one.run() } })
}

export function done(text: string, number: string, revision: number, stay?: number): void {
  reversible(text, () => undo(number, revision), stay === undefined ? {} : { stay })
}

export async function undo(number: string, revision: number): Promise<void> {
  try {
    const back = await unwrap(desk.POST('/desk/v1/tickets/{number}/undo', { params: { path: { number } }, body: { revision } }))
    list.put(back)
    toast(t('undone'))
  } catch (e) {
    failed(e)
  } finally {
    changed(number)
  }
}

/** Several changes that were made by one act, taken back one after the other; `words` says how many. */
export async function undoMany(changes: { number: string; revision: number }[], words?: (undone: number, failed: number) => string): Promise<void> {
  try {
    const { items } = await unwrap(desk.POST('/desk/v1/tickets/undo', { body: { items: changes } }))
    const lost = items.filter((i) => !i.undone).length
    toast(words?.(items.length - lost, lost) ?? (lost > 0 ? t('bulk.undone.some', { n: items.length - lost, failed: lost }) : t('undone')), { bad: lost > 0 })
  } catch (e) {
    failed(e)
  }
  changes.forEach((c) => changed(c.number))
}

/** Says what a macro did, with the way back for what of it the engine takes back: texts to the customer and notes stay. */
export async function ran(number: string, text: string, revisions: number[], bad = false): Promise<void> {
  let back: number[] = []
  try {
    const { items } = revisions.length === 0 ? { items: [] } : await unwrap(desk.GET('/desk/v1/tickets/{number}/history', { params: { path: { number }, query: { limit: 100 } } }))
    back = takeable(items.filter((i) => i.revision !== undefined && revisions.includes(i.revision)))
  } catch {
    // what was done is said all the same; the history has the way back
  }
  if (back.length === 0) toast(text, { bad })
  else
    reversible(
      t('macro.back', { what: text, n: back.length }),
      () =>
        undoMany(
          back.map((revision) => ({ number, revision })),
          (n, lost) => (lost > 0 ? t('macro.undone.some', { n, failed: lost }) : t('macro.undone', { n })),
        ),
      { bad },
    )
}

/** One step that can be taken back. */
export async function act(ticket: Ticket, body: S['StepReq'], text: string): Promise<Ticket | undefined> {
  try {
    const now = await step(ticket.number, { version: ticket.version, ...body })
    list.put(now)
    if (now.warning) toast(now.warning)
    done(text, now.number, now.version)
    changed(ticket.number)
    return now
  } catch (e) {
    failed(e)
    changed(ticket.number)
    return undefined
  }
}

export async function take(ticket: Ticket): Promise<void> {
  const me = session()
  if (me === undefined) return
  if (ticket.assignee_id === me.user_id) {
    toast(t('take.mine'))
    return
  }
  await act(ticket, ticket.status === 0 ? { action: 'accept' } : { action: 'assign', assignee: me.user_id }, t('take.done', { number: ticket.number }))
}

/** Actions to many, with what became of each. */
export async function bulk(numbers: string[], actions: S['Action'][]): Promise<void> {
  try {
    const run = await ownBulk(() => unwrap(desk.POST('/desk/v1/bulk-runs', { headers: { 'Idempotency-Key': crypto.randomUUID() }, body: { numbers, actions } })))
    const why = run.items?.flatMap((i) => i.outcomes).find((o) => o.refusal !== undefined)?.refusal?.error_msg
    const text = run.refused > 0 ? t('bulk.some', { n: run.done - run.refused, failed: run.refused, why: why ?? '' }) : t('bulk.done', { n: run.done })
    if (run.done === run.refused) toast(text, { bad: true })
    else reversible(text, () => undoBulk(run.id, numbers), { bad: run.refused > 0 })
  } catch (e) {
    failed(e)
  }
  numbers.forEach(changed)
}

/** Takes back what a transfer did to several tickets: of each the newest change of that kind. */
export async function undoTransfers(numbers: string[]): Promise<void> {
  const changes: { number: string; revision: number }[] = []
  try {
    for (const number of numbers) {
      const { items } = await unwrap(desk.GET('/desk/v1/tickets/{number}/history', { params: { path: { number }, query: { limit: 20 } } }))
      const found = items.find((i) => i.kind === 'ticket.transfer' && i.undoable && i.revision !== undefined)
      if (found?.revision !== undefined) changes.push({ number, revision: found.revision })
    }
  } catch (e) {
    failed(e)
    return
  }
  if (changes.length === 0) toast(t('undo.gone'), { bad: true })
  else await undoMany(changes)
}

export async function undoBulk(id: string, numbers: string[]): Promise<void> {
  try {
    const back = await unwrap(desk.POST('/desk/v1/bulk-runs/{bulk_id}/undo', { params: { path: { bulk_id: id } }, body: {} }))
    toast(back.refused > 0 ? t('bulk.undone.some', { n: back.undone, failed: back.refused }) : t('undone'), { bad: back.refused > 0 })
  } catch (e) {
    failed(e)
  }
  numbers.forEach(changed)
}
