import { createRouter } from 'sv-router'
import { arrived, came, goes } from '../kit/router'
import { watch } from '../kit/unloaded'
import Missing from './screens/Missing.svelte'
import Pick from './screens/Pick.svelte'
import Shell from './Shell.svelte'

let first = true
watch('/desk')

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
    beforeLoad: goes,
    afterLoad() {
      came()
      // In the queue the focus stays on the row, in a search in its field; the administration sees to it itself.
      if (!first && !/\/desk\/(q|v|search|admin)\b/.test(location.pathname)) arrived()
      first = false
    },
  },
})
