// The three contracts as typed clients. The session's cookie goes along by
// itself; calls that change something carry the session's X-Csrf.
import createClient, { type Middleware } from 'openapi-fetch'
import type { paths as Desk } from './api/desk'
import type { paths as V2 } from './api/v2'
import type { paths as Web } from './api/web'
import { language } from './i18n.svelte'
import { csrf, expired } from './session.svelte'
import { zoneHeader } from './time.svelte'

const patience = 20_000 // ms until a call counts as failed

export function headers(): Record<string, string> {
  const h: Record<string, string> = { 'X-Language': language(), 'X-Time-Zone': zoneHeader() }
  const c = csrf()
  if (c !== '') h['X-Csrf'] = c
  return h
}

const common: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(headers())) if (!request.headers.has(name)) request.headers.set(name, value)
    return request
  },
  onResponse({ response, schemaPath }) {
    if (response.status === 401 && schemaPath !== '/web/v1/session') expired()
    return response
  },
}

function patient(request: Request): Promise<Response> {
  return fetch(new Request(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(patience)]) }))
}

const options = { baseUrl: globalThis.location?.origin ?? '', credentials: 'same-origin', fetch: patient } as const

export const v2 = createClient<V2>(options)
export const web = createClient<Web>(options)
export const desk = createClient<Desk>(options)
for (const client of [v2, web, desk]) client.use(common)
