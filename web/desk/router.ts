import { createRouter } from 'sv-router'
import { arrived } from '../kit/router'
import { loading } from '../kit/unloaded'
import Missing from './screens/Missing.svelte'
import Pick from './screens/Pick.svelte'
import Shell from './Shell.svelte'

let first = true
const load = loading('/desk')

export const { p, navigate, route } = createRouter({
  '/': Pick,
  '/q/:queue': Pick,
  '/v/:view': Pick,
  '/t/:id': () => import('./screens/Ticket.svelte'),
  '/t/:id/history': () => import('./screens/History.svelte'),
  '/approvals': () => import('./auth/Approvals.svelte'),
  '/search': () => import('./screens/Search.svelte'),
  '/shift': () => import('./screens/Shift.svelte'),
  '/knowledge': () => import('./screens/Knowledge.svelte'),
  '/knowledge/new': () => import('./screens/NewArticle.svelte'),
  '/knowledge/:slug': () => import('./screens/Article.svelte'),
  '/board': () => import('./screens/Board.svelte'),
  '/board/:name': () => import('./screens/BoardList.svelte'),
  '/account': () => import('./screens/Account.svelte'),
  '/admin': () => import('./admin/Admin.svelte'),
  '/admin/*rest': () => import('./admin/Admin.svelte'),
  '*': Missing,
  layout: Shell,
  hooks: {
    beforeLoad: load.begins,
    afterLoad() {
      load.ends()
      // In the queue the focus stays on the row, in a search in its field; the administration sees to it itself.
      if (!first && !/\/desk\/(q|v|search|admin)\b/.test(location.pathname)) arrived()
      first = false
    },
  },
})
