// The customers' API as programs use it: by a token, or signed as the vendor's
// SDKs do.
import { createHash, createHmac } from 'node:crypto'
import { Api, type User, type World } from './world'

function userOf(world: World, name: string): { user: User; domain: string } {
  for (const d of world.domains) {
    const user = d.users.find((u) => u.name === name)
    if (user !== undefined) return { user, domain: d.domain_name }
  }
  throw new Error(`no customer ${name}`)
}

/** The API by a customer's token. */
export async function customer(world: World, name: string): Promise<Api> {
  const { user, domain } = userOf(world, name)
  const r = await fetch(`${world.base}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name, password: user.password, domain: { name: domain } } } }, scope: { domain: { name: domain } } } }),
  })
  const token = r.headers.get('X-Subject-Token')
  if (r.status !== 201 || token === null) throw new Error(`token of ${name}: ${r.status} ${await r.text()}`)
  return new Api(world.base, token)
}

/** A request signed with a key (SDK-HMAC-SHA256), as the SDKs send it. */
export async function signed(base: string, method: string, path: string, key: { ak: string; sk: string }, body?: unknown): Promise<Response> {
  const text = body === undefined ? '' : JSON.stringify(body)
  const date = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '')
  const host = new URL(base).host
  const sha = (text: string) => createHash('sha256').update(text).digest('hex')
  const canonical = [method, `${path}/`, '', `host:${host}`, `x-sdk-date:${date}`, '', 'host;x-sdk-date', sha(text)].join('\n')
  const signature = createHmac('sha256', key.sk).update(['SDK-HMAC-SHA256', date, sha(canonical)].join('\n')).digest('hex')
  return fetch(base + path, {
    method,
    headers: { 'X-Sdk-Date': date, Authorization: `SDK-HMAC-SHA256 Access=${key.ak}, SignedHeaders=host;x-sdk-date, Signature=${signature}`, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    ...(body === undefined ? {} : { body: text }),
  })
}

/** A user's first key. */
export function keyOf(world: World, name: string): { ak: string; sk: string } {
  const { user } = userOf(world, name)
  return { ak: user.ak ?? '', sk: user.sk ?? '' }
}

/** What CreateCases needs beside its text: a problem type of the cloud servers, from the API. */
export const source = '83aeb0f2834c4df49826c781d32a963e'
export async function problemType(api: Api): Promise<string> {
  const got = (await api.call('GET', '/v2/servicerequest/config/problems?product_category_id=b5f0be5c9639466184abf80e01f9fa1d')) as { incident_business_type_list: { business_type_id: string; case_type: string }[] }
  const found = got.incident_business_type_list.find((k) => k.case_type === '0')
  if (found === undefined) throw new Error('no problem type')
  return found.business_type_id
}
