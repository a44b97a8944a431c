// What the pages of privacy read.
import { desk } from '../../../kit/api'
import { unwrap } from '../../../kit/errors'

type Signal = { signal: AbortSignal }

export const erasuresQuery = () => ({
  queryKey: ['admin', 'erasures'],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/privacy/erasures', { signal }))).items,
})
export const holdsQuery = (all: boolean) => ({
  queryKey: ['admin', 'holds', all],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/privacy/holds', { params: { query: { all } }, signal }))).items,
})
export const retentionQuery = () => ({
  queryKey: ['admin', 'retention'],
  queryFn: async ({ signal }: Signal) => (await unwrap(desk.GET('/desk/v1/privacy/retention', { signal }))).items,
})
