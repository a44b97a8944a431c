// Exports what a list shows, exactly: by the server's own export where it takes
// the filter, else the rows themselves as CSV.
import { v2 } from '../../kit/api'
import { cell } from '../../kit/csv'
import { unwrap } from '../../kit/errors'
import { queries } from '../../kit/query'
import { kt, type KitKey } from '../../kit/text'
import { full } from '../../kit/time.svelte'
import { ticketsQuery, type Filter, type Ticket } from '../data'
import { save } from '../detail'
import { m } from '../more'

const named = 100 // numbers that one request can name
const page = 100
export const most = 2000 // rows of a CSV

/** Every ticket of a filter; undefined when there are too many. */
async function rows(filter: Filter): Promise<Ticket[] | undefined> {
  const all: Ticket[] = []
  for (;;) {
    const got = await queries.fetchQuery({ ...ticketsQuery({ ...filter, offset: all.length, limit: page }), staleTime: 0 })
    if (got.total_count > most) return undefined
    all.push(...got.incident_info_list)
    if (got.incident_info_list.length === 0 || all.length >= got.total_count) return all
  }
}

function csv(list: Ticket[]): Blob {
  const head = [m('export.number'), m('export.text'), m('export.state'), m('side.product'), m('side.problem'), m('side.region'), m('side.by'), m('side.created'), m('side.labels')]
  const lines = list.map((t) => [
    t.incident_id,
    t.simple_description,
    kt(`state.${t.status}` as KitKey),
    t.product_category_name ?? '',
    t.business_type_name ?? '',
    t.dc_name ?? '',
    t.xcustomer_name ?? '',
    full(t.create_time),
    (t.label_list ?? []).map((l) => l.name ?? '').join(' '),
  ])
  return new Blob(['\ufeff', [head, ...lines].map((l) => l.map(cell).join(',')).join('\r\n'), '\r\n'], { type: 'text/csv' })
}

/** Saves the tickets of the filter, or the chosen ones. 'many' when there are too many, 'not' without the right. */
export async function exportTickets(filter: Filter, chosen: string[]): Promise<'done' | 'many' | 'not'> {
  const may = await unwrap(v2.GET('/v2/servicerequest/privileges', { params: { query: { privilege: 'export' } } }))
  if (may.has_privilege !== 1) return 'not'
  const own = !filter.group
  const single = !filter.status?.includes(',')
  let query: Record<string, unknown> | undefined
  if (chosen.length > 0 && own) query = { incident_id: chosen.join(',') }
  else if (chosen.length === 0 && own && single && !filter.label && !filter.q)
    query = {
      status: filter.status ? Number(filter.status) : undefined,
      query_start_time: filter.from ? `${filter.from} 00:00:00` : undefined,
      query_end_time: filter.to ? `${filter.to} 23:59:59` : undefined,
      sub_customer_id: filter.by || undefined,
    }
  if (query === undefined) {
    const all = await rows(filter)
    if (all === undefined) return 'many'
    const list = chosen.length > 0 ? all.filter((t) => chosen.includes(t.incident_id)) : all
    if (own && list.length <= named && list.length > 0) query = { incident_id: list.map((t) => t.incident_id).join(',') }
    else {
      save(csv(list), `${m('tickets.export.name')}.csv`)
      return 'done'
    }
  }
  const blob = await unwrap(v2.GET('/v2/servicerequest/cases/export', { params: { query: query as never }, parseAs: 'blob' }))
  save(blob as unknown as Blob, `${m('tickets.export.name')}.xlsx`)
  return 'done'
}
