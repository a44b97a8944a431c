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

/** Says what was done, with a way back. */
export function done(text: string, number: string, revision: number): void {
  toast(text, {
    stay: 10_000,
    action: { label: t('undo'), run: () => void undo(number, revision) },
  })
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
    const run = await unwrap(desk.POST('/desk/v1/bulk-runs', { headers: { 'Idempotency-Key': crypto.randomUUID() }, body: { numbers, actions } }))
    const why = run.items?.flatMap((i) => i.outcomes).find((o) => o.refusal !== undefined)?.refusal?.error_msg
    toast(run.refused > 0 ? t('bulk.some', { n: run.done - run.refused, failed: run.refused, why: why ?? '' }) : t('bulk.done', { n: run.done }), {
      bad: run.refused > 0,
      stay: 10_000,
      action: { label: t('undo'), run: () => void undoBulk(run.id, numbers) },
    })
  } catch (e) {
    failed(e)
  }
  numbers.forEach(changed)
}

async function undoBulk(id: string, numbers: string[]): Promise<void> {
  try {
    const back = await unwrap(desk.POST('/desk/v1/bulk-runs/{bulk_id}/undo', { params: { path: { bulk_id: id } }, body: {} }))
    toast(back.refused > 0 ? t('bulk.undone.some', { n: back.undone, failed: back.refused }) : t('undone'), { bad: back.refused > 0 })
  } catch (e) {
    failed(e)
  }
  numbers.forEach(changed)
}
