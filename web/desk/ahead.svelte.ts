// What is shown of tickets before the server has said so: a change of one's own
// lies over what was read until its answer is here, in the list and in the
// ticket. Nothing that was read is touched, so taking it away is the way back.
import type { Ticket } from './data'

export type Part = Partial<Pick<Ticket, 'assignee_id' | 'assignee_name' | 'status' | 'snooze' | 'tags'>>
interface Over {
  id: number
  part: (t: Ticket) => Part
  leaves: boolean
}
let last = 0
const state = $state<{ over: Record<string, Over[]> }>({ over: {} })

/** The ticket with what is under way. */
export function laid<T extends Ticket>(ticket: T): T {
  const all = state.over[ticket.number]
  return all === undefined ? ticket : all.reduce((t, o) => ({ ...t, ...o.part(t) }), ticket)
}

/** Whether a ticket is about to leave the lists. */
export function leaving(number: string): boolean {
  return state.over[number]?.some((o) => o.leaves) ?? false
}

/** How to lay what is under way over a ticket that is read; undefined = nothing is. */
export function layer(number: string): ((t: Ticket) => Ticket) | undefined {
  return state.over[number] === undefined ? undefined : (t) => laid(t) // another one each time, or it is not asked again
}

/** Shows a change of tickets at once; the function that is returned takes it away again. */
export function ahead(numbers: string[], part: (t: Ticket) => Part, leaves = false): () => void {
  const id = ++last
  for (const n of numbers) state.over[n] = [...(state.over[n] ?? []), { id, part, leaves }]
  return () => {
    for (const n of numbers) {
      const rest = (state.over[n] ?? []).filter((o) => o.id !== id)
      if (rest.length > 0) state.over[n] = rest
      else delete state.over[n]
    }
  }
}

// Own changes of a ticket go one behind the other, each with the version the one
// before has made: what is seen is never refused because of oneself.
const lines = new Map<string, Promise<unknown>>()
const versions = new Map<string, number>()

/** Runs behind the own changes of the ticket that are under way, with the version to send; it returns the one it made. */
export async function inLine<T extends { version: number } | undefined>(ticket: Pick<Ticket, 'number' | 'version'>, run: (version: number) => Promise<T>): Promise<T> {
  const { number } = ticket
  const first = !lines.has(number)
  return behind([number], async () => {
    const made = await run(first ? ticket.version : Math.max(ticket.version, versions.get(number) ?? 0))
    if (made !== undefined) versions.set(number, made.version)
    return made
  })
}

/** The same for several tickets at once, without versions to send; `made` are those that it made. */
export async function inLines<T>(numbers: string[], run: () => Promise<T>, made: (t: T) => Map<string, number>): Promise<T> {
  return behind(numbers, async () => {
    const done = await run()
    for (const [number, version] of made(done)) versions.set(number, version)
    return done
  })
}

async function behind<T>(numbers: string[], run: () => Promise<T>): Promise<T> {
  const before = numbers.map((n) => lines.get(n)).filter((l) => l !== undefined)
  const own = before.length === 0 ? run() : Promise.allSettled(before).then(run)
  for (const n of numbers) lines.set(n, own)
  try {
    return await own
  } finally {
    for (const n of numbers) if (lines.get(n) === own) lines.delete(n)
  }
}
