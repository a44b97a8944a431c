import { createRouter } from 'sv-router'
import { left } from './place'
import Home from './screens/Home.svelte'
import { loading } from '../kit/unloaded'
import Missing from './screens/Missing.svelte'
import Shell from './Shell.svelte'

let first = true
const load = loading('/docs')

export const { p, navigate, route } = createRouter({
  '/': Home,
  '/guide/:id': () => import('./screens/Guide.svelte'),
  '/api/:contract': () => import('./screens/Contract.svelte'),
  '/api/:contract/:operation': () => import('./screens/Operation.svelte'),
  '/search': () => import('./screens/Search.svelte'),
  '*': Missing,
  layout: Shell,
  hooks: {
    beforeLoad: load.begins,
    afterLoad({ pathname }) {
      load.ends()
      // While one searches the focus stays in the field.
      if (!first && pathname !== '/search') left()
      first = false
    },
  },
})
