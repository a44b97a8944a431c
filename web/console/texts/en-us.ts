import type zh from './zh-cn'

const texts: Record<keyof typeof zh, string> = {
  'nav.label': 'Main',
  'nav.home': 'Home',
  'nav.tickets': 'Tickets',
  'nav.new': 'Submit a ticket',
  'nav.auths': 'Authorizations',
  'nav.labels': 'Labels',
  'nav.articles': 'Help',
  'nav.figures': 'Figures',
  'nav.access': 'Permissions',
  'nav.audit': 'Audit',
  'nav.agreements': 'Agreements',
  'nav.me': 'My profile',
  'nav.menu': 'Menu',
  'nav.find': 'Search and commands',
  'nav.account': 'Account {name}',
  'keys.go': 'Go to',

  'home.title': 'Home',
  'home.need': 'Needs you',
  'home.calm': 'Nothing is waiting for you.',
  'home.answer': 'An engineer is waiting for your answer',
  'home.confirm': 'There is a solution; please confirm that it works',
  'home.running': 'Under way',
  'home.all': 'See all',
  'home.none': 'No tickets are under way.',
  'home.counts': 'All tickets',
  'home.nothing': 'No tickets yet',
  'home.nothing.hint': 'Submit a ticket when something is wrong; an engineer answers within the promised time.',

  'ticket.unread': '{n} new message|{n} new messages',

  'ticket.said.you': 'You wrote last',
  'ticket.said': '{name} wrote last',
}
export default texts
