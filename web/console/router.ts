import { createRouter } from 'sv-router'
import { arrived, came, goes } from '../kit/router'
import Home from './screens/Home.svelte'
import Shell from './Shell.svelte'

let first = true

export const { p, navigate, isActive, route } = createRouter({
  '/': Home,
  '/tickets': () => import('./screens/Tickets.svelte'),
  '/tickets/:id': () => import('./screens/Ticket.svelte'),
  '/new': () => import('./screens/Submit.svelte'),
  '/labels': () => import('./screens/Labels.svelte'),
  '/auths': () => import('./screens/Auths.svelte'),
  '/auths/:id': () => import('./screens/Auth.svelte'),
  '/auths/:id/sessions': () => import('./screens/Sessions.svelte'),
  '/access': () => import('./screens/Access.svelte'),
  '/agreements': () => import('./screens/Agreements.svelte'),
  '/articles': () => import('./screens/Articles.svelte'),
  '/articles/:slug': () => import('./screens/Article.svelte'),
  '/audit': () => import('./screens/Audit.svelte'),
  '/figures': () => import('./screens/Figures.svelte'),
  '/me': () => import('./screens/Me.svelte'),
  '*': () => import('./screens/Missing.svelte'),
  layout: Shell,
  hooks: {
    beforeLoad: goes,
    afterLoad() {
      came()
      if (!first) arrived()
      first = false
    },
  },
})
