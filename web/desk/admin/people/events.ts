// What happened, in words: the kinds of events of the administration.
import type { PeopleKey } from './texts'
import { pt } from './texts'

/** The words for a kind of event, or the kind itself. */
export function eventWords(kind: string): string {
  const key = `made.ev.${kind}`
  const text = pt(key as PeopleKey)
  return text === key ? kind : text
}

/** The kinds there are words for. */
export const groupsOfKinds = ['ticket', 'user', 'token', 'key', 'domain', 'group', 'agency', 'partner', 'team', 'queue', 'catalog', 'template', 'provider', 'codes', 'notify', 'mail', 'webhook', 'privacy', 'audit', 'abuse', 'resource', 'diagnosis', 'article', 'attachment', 'agreement', 'contact', 'rule', 'macro', 'bulk', 'sla'] as const
