import { createRouter } from 'sv-router'
import { left } from './place'
import Home from './screens/Home.svelte'
import { unloaded } from '../kit/unloaded'
import Missing from './screens/Missing.svelte'
import Shell from './Shell.svelte'

let first = true

export const { p, navigate, route } = createRouter({
  '/': Home,
  '/guide/:id': () => import('./screens/Guide.svelte'),
  '/api/:contract': () => import('./screens/Contract.svelte'),
  '/api/:contract/:operation': () => import('./screens/Operation.svelte'),
  '/search': () => import('./screens/Search.svelte'),
  '*': Missing,
  layout: Shell,
  hooks: {
    afterLoad({ pathname }) {
      // While one searches the focus stays in the field.
      if (!first && pathname !== '/search') left()
      first = false
    },
    onError: (error, place) => unloaded('/docs', first, error, place),
  },
})
