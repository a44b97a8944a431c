import { createRouter } from 'sv-router'
import { arrived } from '../kit/router'
import Home from './screens/Home.svelte'
import Missing from './screens/Missing.svelte'
import Shell from './Shell.svelte'

let first = true

export const { p, navigate, isActive, route } = createRouter({
  '/': Home,
  '/tickets': () => import('./screens/Tickets.svelte'),
  '/tickets/:id': Missing,
  '/new': Missing,
  '/labels': Missing,
  '/auths': Missing,
  '/auths/:id': Missing,
  '/auths/:id/sessions': Missing,
  '/access': Missing,
  '/agreements': Missing,
  '/me': Missing,
  '*': Missing,
  layout: Shell,
  hooks: {
    afterLoad() {
      if (!first) arrived()
      first = false
    },
  },
})
