// Steps of an engineer from wherever they are asked: with the version that was
// seen, with what to say afterwards, and with the way back.
import { desk } from '../kit/api'
import { queries } from '../kit/query'
import { unwrap } from '../kit/errors'
import { session } from '../kit/session.svelte'
import { dismiss, toast, toasts } from '../kit/say.svelte'
import { sayAll } from '../kit/text'
import { ahead, inLine, inLines, laid, type Part } from './ahead.svelte'
import { Conflicted, step, told, type S, type Ticket } from './data'
import { list } from './list.svelte'
import { changed } from './live.svelte'
import { ownBulk } from './notices'
import { takeable } from './takeback'
import { t, type Key } from './texts'

export function failed(e: unknown): void {
  toast(whyNot(e), { bad: true })
}
function whyNot(e: unknown): string {
  if (!(e instanceof Conflicted) || e.conflict.changes.length === 0) return sayAll(e)
  const c = e.conflict.changes.at(-1)
  return t('conflict.toast', { who: c?.actor_name ?? 'Casemate', what: kindName(`ticket.${c?.kind ?? 'change'}`) })
}
/** What was shown already was refused: it stands as before, and that is said. */
function refused(e: unknown): void {
  toast(t('ahead.back', { why: whyNot(e) }), { bad: true })
}
/** What came of a change that was shown at once, into what was read. */
function settle(number: string, now: Partial<Ticket>): void {
  queries.setQueriesData<Ticket>({ queryKey: ['ticket', number] }, (old) => (old === undefined ? undefined : { ...old, ...now }))
  const row = list.find(number)
  if (now.number !== undefined) list.put(now as Ticket) // all of it, what is no more too
  else if (row !== undefined) list.put({ ...row, ...now })
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
  of?: string // the change, where it is one
  said: number // the notice that offers the way back
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

/** What is taken back is not offered any more, neither by the key nor by its notice. */
function gone(which: (b: Back) => boolean): void {
  back.all.filter(which).forEach((b) => dismiss(b.said))
  back.all = back.all.filter((b) => !which(b))
}

/** Says what was done, with the way back that the key `Z` goes as well. */
export function reversible(text: string, run: () => Promise<void>, options: { bad?: boolean; stay?: number } = {}, of?: string): void {
  toast(text, { stay: 10_000, ...options, action: { label: t('undo'), run: () => void one.run() } })
  const said = toasts().at(-1)?.id ?? 0
  const one: Back = {
    text,
    at: Date.now(),
    of,
    said,
    run: async () => {
      gone((b) => b.said === said)
      await run()
    },
  }
  back.all = [...back.all.slice(-19), one]
}

export function done(text: string, number: string, revision: number, stay?: number): void {
  reversible(text, () => undo(number, revision), stay === undefined ? {} : { stay }, `${number} ${revision}`)
}

export async function undo(number: string, revision: number): Promise<void> {
  try {
    const back = await unwrap(desk.POST('/desk/v1/tickets/{number}/undo', { params: { path: { number } }, body: { revision } }))
    list.put(back)
    gone((b) => b.of === `${number} ${revision}`) // undone in the history, too
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

/** One step that can be taken back; `part` is what it changes, shown at once. */
export async function act(ticket: Ticket, body: S['StepReq'], text: string, part?: Part): Promise<Ticket | undefined> {
  const over = part === undefined ? undefined : ahead([ticket.number], () => part)
  try {
    const now = await inLine(ticket, (version) => step(ticket.number, { version, ...body }))
    settle(ticket.number, now)
    over?.()
    if (now.warning) toast(now.warning)
    done(text, now.number, now.version)
    changed(ticket.number)
    return now
  } catch (e) {
    over?.()
    if (over === undefined) failed(e)
    else refused(e)
    changed(ticket.number)
    return undefined
  }
}

/** Out of the lists until then, or without a time until the customer stirs; seen at once. */
export async function snooze(ticket: Ticket, until: string | undefined): Promise<void> {
  const { number } = ticket
  const over = ahead([number], () => ({ snooze: { until, until_customer: until === undefined, since: new Date().toISOString() } }), list.source.kind === 'queue')
  try {
    const now = await inLine(ticket, (version) => told(desk.PUT('/desk/v1/tickets/{number}/snooze', { params: { path: { number } }, body: { ...(until === undefined ? { until_customer: true } : { until }), version } })))
    settle(number, now)
    if (list.source.kind === 'queue' && list.find(number) !== undefined) list.gone = { ...list.gone, [number]: true }
    reversible(t('snooze.done'), () => wake(number, t('undone')))
  } catch (e) {
    refused(e)
  }
  over()
  changed(number)
}

/** Back into the lists, seen at once. */
export async function wake(number: string, text = t('snooze.off')): Promise<void> {
  const over = ahead([number], () => ({ snooze: undefined }))
  try {
    const now = await inLine({ number, version: 0 }, () => unwrap(desk.DELETE('/desk/v1/tickets/{number}/snooze', { params: { path: { number } } }))) // not before the snooze that it ends
    settle(number, { ...now, snooze: undefined })
    toast(text)
  } catch (e) {
    refused(e)
  }
  over()
  changed(number)
}

/** Takes a tag off, seen at once. */
export async function untag(ticket: Ticket, tag: string): Promise<void> {
  const part = (x: Ticket): Part => ({ tags: x.tags?.filter((y) => y !== tag) })
  const over = ahead([ticket.number], part)
  try {
    const run = await inLine(ticket, async () => {
      const { version = ticket.version, ...done } = await unwrap(desk.POST('/desk/v1/tickets/{number}/actions', { params: { path: { number: ticket.number } }, body: { actions: [{ do: 'untag', tags: [tag] }] } }))
      return { version, ...done }
    })
    if (run.done) settle(ticket.number, { ...part(ticket), version: run.version })
    else toast(t('ahead.back', { why: run.outcomes.find((o) => o.refusal !== undefined)?.refusal?.error_msg ?? '' }), { bad: true })
  } catch (e) {
    refused(e)
  }
  over()
  changed(ticket.number)
}

export async function take(ticket: Ticket): Promise<void> {
  const me = session()
  if (me === undefined) return
  if (laid(ticket).assignee_id === me.user_id) {
    toast(t('take.mine'))
    return
  }
  await act(ticket, ticket.status === 0 ? { action: 'accept' } : { action: 'assign', assignee: me.user_id }, t('take.done', { number: ticket.number }), taken(ticket.status === 0 ? 1 : undefined))
}
/** What a ticket is that one has taken. */
function taken(status?: Ticket['status']): Part {
  const me = session()
  return { assignee_id: me?.user_id, assignee_name: me?.name, ...(status === undefined ? {} : { status }) }
}

/** What actions make of a ticket, of what is shown before they are done. */
function partOf(actions: S['Action'][], x: Ticket): Part {
  let part: Part = {}
  for (const a of actions)
    if (a.do === 'tag') part = { ...part, tags: [...new Set([...(part.tags ?? x.tags ?? []), ...(a.tags ?? [])])] }
    else if (a.do === 'assign' && (a.to === 'me' || a.to === session()?.user_id)) part = { ...part, ...taken() }
  return part
}

/** What was done, in words. */
function doneText(actions: S['Action'][], numbers: string[]): string {
  const [n, number] = [numbers.length, numbers[0] ?? '']
  const tags = actions.flatMap((a) => (a.do === 'tag' ? (a.tags ?? []) : []))
  if (tags.length > 0) return n === 1 ? t('tag.done', { tags: tags.join(t('tag.and')), number }) : t('tag.done.many', { tags: tags.join(t('tag.and')), n })
  return n === 1 ? t('take.done', { number }) : t('take.done.many', { n })
}

/** Actions to many, behind one's own changes that are under way. */
export async function runBulk(numbers: string[], actions: S['Action'][]): Promise<S['BulkRun']> {
  return inLines(
    numbers,
    () => ownBulk(() => unwrap(desk.POST('/desk/v1/bulk-runs', { headers: { 'Idempotency-Key': crypto.randomUUID() }, body: { numbers, actions } }))),
    (run) => new Map((run.items ?? []).flatMap((i) => (i.version_after === undefined ? [] : [[i.number, i.version_after]]))),
  )
}

/** Actions to many, with what became of each. Tags, and what one takes, are shown at once. */
export async function bulk(numbers: string[], actions: S['Action'][]): Promise<void> {
  const over = ahead(numbers, (x) => partOf(actions, x))
  try {
    const run = await runBulk(numbers, actions)
    const why = run.items?.flatMap((i) => i.outcomes).find((o) => o.refusal !== undefined)?.refusal?.error_msg
    // Of those that were refused nothing stays.
    for (const i of run.items ?? [])
      if (i.ok) {
        const x = queries.getQueriesData<Ticket>({ queryKey: ['ticket', i.number] })[0]?.[1] ?? list.find(i.number)
        if (x !== undefined) settle(i.number, { ...partOf(actions, x), version: i.version_after ?? x.version })
      }
    const text = run.refused > 0 ? t('bulk.some', { n: run.done - run.refused, failed: run.refused, why: why ?? '' }) : doneText(actions, numbers)
    if (run.done === run.refused) toast(text, { bad: true })
    else reversible(text, () => undoBulk(run.id, numbers), { bad: run.refused > 0 })
  } catch (e) {
    refused(e)
  }
  over()
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
