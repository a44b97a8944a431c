// What happened, in words: the kinds of events of the administration.
import type { PeopleKey } from './texts'
import { pt } from './texts'

/** The words for a kind of event, or the kind itself. */
export function eventWords(kind: string): string {
  const key = `made.p.ev.${kind}`
  const text = pt(key as PeopleKey)
  return text === key ? kind : text
}
