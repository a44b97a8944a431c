import type zh from './zh-cn'

const texts: Record<keyof typeof zh, string> = {
  'guide.label': 'First steps',
  'guide.step': 'Step {n} of {of}',
  'guide.open': 'Open a ticket',
  'guide.answer': 'Answer as an engineer',
  'guide.code': 'See the code that was sent',
  'guide.webhook': 'See a webhook delivery',
  'guide.open.how': 'Sign in as the customer lihua, open a ticket, and see what the right column promises.',
  'guide.answer.how': 'Sign in as the engineer chen, open it from the unassigned ones and answer.',
  'guide.code.how': 'Sign in as admin: text messages and mails end here, none is really sent.',
  'guide.webhook.how': 'Sign in as admin, add an address and see request and answer of each delivery.',
  'guide.open.self': 'Fill in the form and see what the right column promises.',
  'guide.answer.self': 'Open it from the unassigned ones and answer.',
  'guide.code.self': 'Text messages and mails end here, none is really sent.',
  'guide.webhook.self': 'Add an address and see request and answer of each delivery.',
  'guide.go': 'Try it',
  'guide.signin': 'Go on with another account',
  'guide.where': 'Passwords of the demo accounts are in credentials.json in the data folder. casemate demo remove takes the demo away, and this guide with it.',
  'guide.all': 'All steps',
  'guide.fold': 'Fold',
  'guide.off': 'Do not show again',
  'guide.done': 'All four steps are done. The demo is yours to play with.',
  'guide.mark': 'done',
}
export default texts
