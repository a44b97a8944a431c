import type zh from './zh-cn'

const texts: Record<keyof typeof zh, string> = {
  'palette.hint': 'Ticket number, words, page, command',
  'palette.search': 'Search tickets for “{q}”',
  'palette.articles': 'Search help for “{q}”',
}
export default texts
