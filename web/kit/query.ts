import { QueryClient } from '@tanstack/svelte-query'
import { asFailure } from './errors'

/** One cache for the page. What may pass is tried again, a refusal is not. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      gcTime: 10 * 60_000,
      refetchOnWindowFocus: true,
      // A browser without a network reaches a server on its own machine all the same: it is asked, and a failure is shown as one.
      networkMode: 'always',
      refetchOnReconnect: true,
      // By default only changes of what was read before are told, and the
      // result is then not renewed: a part of the page that comes later than
      // the failure would load for ever.
      notifyOnChangeProps: 'all',
      retry: (count, error) => asFailure(error).passing && count < 2,
      retryDelay: (count, error) => Math.max(asFailure(error).retryAfter * 1000, 600 * 2 ** count),
    },
    mutations: { retry: false, networkMode: 'always' },
  },
})
