// Which changes of one act can be taken back together.
import type { Entry } from './data'

type Change = Pick<Entry, 'revision' | 'kind' | 'from' | 'to' | 'assignee_changed' | 'owner_from' | 'owner_to' | 'undoable' | 'why_not'>

/** What a change is about, as the engine asks: a later change of the same is in the way of its undo. */
function about(c: Change): string[] {
  const all: string[] = []
  if (c.from !== c.to) all.push('state')
  if (c.assignee_changed === true) all.push('handler')
  if (c.owner_from !== c.owner_to) all.push('side')
  if (c.kind === 'ticket.severity') all.push('severity')
  return all
}

/**
 * The revisions that can be taken back one after the other, the last one first.
 * One that has nothing in its way but such as are taken back before it counts;
 * one below a change that stays (a question to the customer) does not.
 */
export function takeable(changes: Change[]): number[] {
  const out: number[] = []
  const stays = new Set<string>()
  for (const c of [...changes].sort((a, b) => (b.revision ?? 0) - (a.revision ?? 0))) {
    const general = c.undoable || c.why_not !== undefined // else it can never be undone
    if (c.revision !== undefined && general && !about(c).some((x) => stays.has(x))) out.push(c.revision)
    else about(c).forEach((x) => stays.add(x))
  }
  return out
}
