import { expect, test, vi } from 'vitest'
import { enter, type Session } from '../kit/session.svelte'
import { submittersQuery } from './detail'

vi.mock('../kit/api', () => {
  const answers: Record<string, unknown> = {
    '/v2/servicerequest/customers/sub-customers': { total_count: 1, sub_customer_infos: [{ customer_id: 'u-000042', customer_name: 'w***i' }] },
    '/v2/servicerequest/cases': { total_count: 0, incident_info_list: [] },
  }
  const off = { error: { error_code: 'SVCT.0500', error_msg: 'off' }, response: new Response(null, { status: 503 }) }
  const GET = async (path: string) => (answers[path] === undefined ? off : { data: answers[path], response: new Response() })
  return { v2: { GET }, web: { GET } }
})

test('whom the list may be narrowed to is there without the full names of the users', async () => {
  enter({ user_id: 'u-main', name: 'lihua', main: true, csrf: 'x' } as Session)
  const q = submittersQuery({ user_id: 'u-main', name: 'lihua' })
  expect(q.select(await q.queryFn({ signal: new AbortController().signal }))).toEqual([['u-main', 'lihua'], ['u-000042', 'w***i (000042)']])
})
