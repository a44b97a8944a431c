// What happened, in words: the kinds of events, for histories and the audit.
import { language } from '../../../kit/i18n.svelte'
import { kindName } from '../../steps.svelte'
import { viaText } from '../../via'
import type { S } from '../../data'
import { byItself, nameIn } from './subject'
import { eventWords } from '../people/events'
import type { OpsKey } from './texts'
import { ot } from './texts'

/** The words for a kind of event of running the installation, or the kind itself. */
export function opsWords(kind: string): string {
  const key = `made.o.ev.${kind}`
  const text = ot(key as OpsKey)
  if (text !== key) return text
  return kind.startsWith('ticket.') ? kindName(kind) : kind
}

/** The words for a kind of event, whatever it is. */
export function eventName(kind: string, data?: Record<string, unknown>): string {
  const text = opsWords(kind)
  return text === kind ? eventWords(kind, data) : text
}

/** Whether somebody did it in the name of the actor without being proved to be him. */
export const unproved = (kind: string) => kind === 'user.login.fail'

/** What the thing of an event is called, in the reader's language; '' where the event does not tell. */
export const subjectName = (data: Record<string, unknown> | undefined): string => nameIn(data, language())

/** What it happened to is called: by the event itself, else as it is known today. */
export const calledBy = (e: S['Event']): string => subjectName(e.data) || (e.subject_name ?? '')

/** By what it happened; of a bulk run its id, which all that belongs to it shares. The run of a rule or macro is called by its name already. */
export const runOf = (e: S['Event']): string => (byItself(e) && calledBy(e) !== '' ? '' : e.via?.kind === 'bulk' ? `${viaText(e.via)} ${e.via.id ?? ''}`.trim() : viaText(e.via))

/** The first words of kinds, which `.*` means all of. */
export const groupsOfKinds = [
  'ticket', 'attachment', 'agreement', 'article', 'contact', 'diagnosis', 'user', 'token', 'key', 'domain', 'group', 'agency', 'resource', 'partner', 'team', 'queue',
  'rule', 'macro', 'bulk', 'sla', 'catalog', 'template', 'provider', 'codes', 'notify', 'mail', 'webhook', 'privacy', 'abuse', 'audit', 'config', 'authorization', 'code', 'view', 'label',
] as const
