// What the submit page can offer, as queries: they follow what was chosen.
import { createQuery } from '@tanstack/svelte-query'
import { v2, web } from '../../kit/api'
import { unwrap } from '../../kit/errors'
import { language } from '../../kit/i18n.svelte'
import { limitsQuery } from '../detail'

const long = { staleTime: 10 * 60_000 }

export interface Asked {
  sub: string
  product: string
  problem: string
  severity: string
}

export const categoriesQuery = () => ({
  queryKey: ['categories', language()],
  ...long,
  queryFn: async ({ signal }: { signal?: AbortSignal }) => (await unwrap(v2.GET('/v2/servicerequest/config/categories', { signal }))).incident_sub_type_list,
})

export const problemsQuery = (product: string) => ({
  queryKey: ['problems', product, language()],
  enabled: product !== '',
  ...long,
  queryFn: async ({ signal }: { signal?: AbortSignal }) => (await unwrap(v2.GET('/v2/servicerequest/config/problems', { params: { query: { product_category_id: product } }, signal }))).incident_business_type_list,
})

/** All queries of the page; `asked` says what was chosen. Call it while a component is made. */
export function choices(asked: () => Asked) {
  const chosen = () => asked().problem !== ''
  const ask = () => ({ product_category_id: asked().product, business_type_id: asked().problem })
  return {
    categories: createQuery(() => categoriesQuery()),
    problems: createQuery(() => problemsQuery(asked().product)),
    regions: createQuery(() => ({
      queryKey: ['regions', language()],
      ...long,
      queryFn: async ({ signal }) => (await unwrap(v2.GET('/v2/servicerequest/config/regions', { signal }))).data_center_list,
    })),
    templates: createQuery(() => ({
      queryKey: ['templates', asked().problem, language()],
      enabled: chosen(),
      ...long,
      queryFn: async ({ signal }) => (await unwrap(v2.GET('/v2/servicerequest/config/templates', { params: { query: { business_type_id: asked().problem } }, signal }))).incident_template_list,
    })),
    params: createQuery(() => ({
      queryKey: ['params', ask(), language()],
      enabled: chosen(),
      ...long,
      queryFn: async ({ signal }) => {
        const r = await unwrap(v2.GET('/v2/servicerequest/config/extends-map', { params: { query: { ...ask(), incident_sub_type_id: asked().sub } }, signal }))
        return { own: r.extends_params.filter((x) => x.is_show !== 0), common: new Map(r.common_params.map((c) => [c.param_key ?? '', c])) }
      },
    })),
    severities: createQuery(() => ({
      queryKey: ['severities', ask(), language()],
      enabled: chosen(),
      ...long,
      queryFn: async ({ signal }) => {
        const r = await unwrap(v2.GET('/v2/servicerequest/config/severities', { params: { query: ask() }, signal }))
        return r.show ? r.severity_list : []
      },
    })),
    quota: createQuery(() => ({
      queryKey: ['quota', ask()],
      enabled: chosen(),
      queryFn: ({ signal }) => unwrap(v2.GET('/v2/servicerequest/quotas', { params: { query: ask() }, signal })),
    })),
    promise: createQuery(() => ({
      queryKey: ['promise', asked().problem, asked().severity, language()],
      enabled: chosen(),
      refetchInterval: 60_000,
      queryFn: ({ signal }) => unwrap(web.GET('/web/v1/promise', { params: { query: { business_type_id: asked().problem, severity_id: asked().severity || undefined } }, signal })),
    })),
    agreement: createQuery(() => ({
      queryKey: ['agreement', '0', language()],
      queryFn: async ({ signal }) => {
        const query = { agreement_type: '0' }
        const [a, b] = await Promise.all([
          unwrap(v2.GET('/v2/servicerequest/agreements/published-agreement', { params: { query }, signal })),
          unwrap(v2.GET('/v2/servicerequest/agreements/signed-latest', { params: { query }, signal })),
        ])
        return { ...a.case_agreement, signed: b.is_signed_latest }
      },
    })),
    limits: createQuery(() => limitsQuery()),
    copies: createQuery(() => ({
      queryKey: ['copies'],
      queryFn: async ({ signal }) => {
        const r = await unwrap(v2.GET('/v2/servicerequest/carbon-copy-emails', { signal }))
        const last = (r.cc_email_info?.cc_email ?? '').split(',').filter(Boolean)
        return [...new Set([...last, ...r.mc_email_infos])] // the last used ones first
      },
    })),
    ccMost: createQuery(() => ({
      queryKey: ['caselimits'],
      ...long,
      queryFn: async ({ signal }) => (await unwrap(v2.GET('/v2/servicerequest/config/limits', { signal }))).config?.create_case_ccemail_max_count ?? 10,
    })),
  }
}
