import { createRouter } from 'sv-router'
import { came, goes } from '../kit/router'
import { watch } from '../kit/unloaded'
import { left } from './place'
import Home from './screens/Home.svelte'
import Missing from './screens/Missing.svelte'
import Shell from './Shell.svelte'

let first = true
watch('/docs')

export const { p, navigate, route } = createRouter({
  '/': Home,
  '/guide/:id': () => import('./screens/Guide.svelte'),
  '/api/:contract': () => import('./screens/Contract.svelte'),
  '/api/:contract/:operation': () => import('./screens/Operation.svelte'),
  '/search': () => import('./screens/Search.svelte'),
  '*': Missing,
  layout: Shell,
  hooks: {
    beforeLoad: goes,
    afterLoad({ pathname }) {
      came()
      // While one searches the focus stays in the field.
      if (!first && pathname !== '/search') left()
      first = false
    },
  },
})
