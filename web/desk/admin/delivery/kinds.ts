// What a message is, in words.
import { dt, type DeliveryKey } from './texts'

/** Kinds of messages, those to customers first. */
export const messageKinds = ['verify.code', 'ticket.create', 'ticket.reply', 'ticket.ask', 'ticket.resolve', 'ticket.remind', 'ticket.close', 'ticket.survey', 'ticket.authorize', 'account.changed', 'provider.test', 'abuse.report', 'mail.refused',
  'desk.assigned', 'desk.replied', 'desk.urged', 'desk.created', 'desk.authorized', 'desk.warned', 'desk.escalated', 'desk.breached', 'desk.mentioned', 'desk.followed', 'desk.woken', 'desk.withheld', 'desk.asked', 'desk.rule', 'desk.digest'] as const

/** The kind of a message as people call it; unknown ones by their own name. */
export function kindName(kind: string): string {
  return messageKinds.some((k) => k === kind) ? dt(`made.message.${kind}` as DeliveryKey) : kind
}
