// What happened, in words: the kinds of events of the administration.
import type { PeopleKey } from './texts'
import { pt } from './texts'

/** The words for a kind of event, or the kind itself; of a switch also which one, and which way. */
export function eventWords(kind: string, data: Record<string, unknown> = {}): string {
  const key = kind === 'domain.privilege' && typeof data['on'] === 'boolean' ? `made.p.sw.${String(data['switch'])}.${data['on'] ? 'on' : 'off'}` : `made.p.ev.${kind}`
  const text = pt(key as PeopleKey)
  return text !== key ? text : kind === 'domain.privilege' && key.startsWith('made.p.sw') ? eventWords(kind) : kind
}
