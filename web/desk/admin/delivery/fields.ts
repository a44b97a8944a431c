// The settings of providers as fields of a form: what the contract has, by
// kind, with how each is typed and read.
import type { S } from '../../data'
import type { DeliveryKey } from './texts'

export type Kind = S['ProviderKind']
export type Values = Record<string, string | boolean>

export interface Setting {
  /** The path in the settings: `success.path`. */
  key: string
  type: 'text' | 'number' | 'choice' | 'tick' | 'area' | 'list' | 'pairs' | 'prices'
  options?: readonly string[]
  /** Is asked for at once; the others wait behind "more". */
  basic?: boolean
  required?: boolean
  mono?: boolean
  placeholder?: string
}

const f = (key: string, type: Setting['type'] = 'text', more: Omit<Setting, 'key' | 'type'> = {}): Setting => ({ key, type, ...more })

export const settings: Record<Kind, readonly Setting[]> = {
  smtp: [
    f('host', 'text', { basic: true, required: true, mono: true, placeholder: 'smtp.example.com' }),
    f('tls', 'choice', { basic: true, options: ['starttls', 'implicit', 'opportunistic', 'none'] }),
    f('port', 'number', { basic: true, placeholder: '587' }),
    f('from', 'text', { basic: true, required: true, placeholder: 'Support <support@example.com>' }),
    f('user', 'text', { basic: true, mono: true }),
    f('hello', 'text', { mono: true }),
    f('bounce', 'text', { mono: true, placeholder: 'bounce+{id}@example.com' }),
    f('dkim_selector', 'text', { mono: true }),
    f('dkim_domain', 'text', { mono: true }),
    f('timeout_seconds', 'number', { placeholder: '15' }),
    f('pool_idle_seconds', 'number', { placeholder: '10' }),
    f('pool_mails', 'number', { placeholder: '50' }),
    f('price', 'number', { placeholder: '0' }),
    f('ca', 'area', { mono: true, placeholder: '-----BEGIN CERTIFICATE-----' }),
  ],
  smpp: [
    f('address', 'text', { basic: true, required: true, mono: true, placeholder: 'smsc.example.com:2775' }),
    f('tls', 'tick', { basic: true }),
    f('system_id', 'text', { basic: true, required: true, mono: true }),
    f('sender', 'text', { basic: true, mono: true, placeholder: '10690000' }),
    f('system_type', 'text', { mono: true }),
    f('sender_ton', 'number'),
    f('sender_npi', 'number'),
    f('enquire_link_seconds', 'number', { placeholder: '30' }),
    f('window', 'number', { placeholder: '10' }),
    f('recipient', 'list', { mono: true, placeholder: '001' }),
    f('prices', 'prices', { mono: true, placeholder: '86: 45' }),
    f('ca', 'area', { mono: true, placeholder: '-----BEGIN CERTIFICATE-----' }),
  ],
  http: [
    f('url', 'text', { basic: true, required: true, mono: true, placeholder: 'https://sms.example.com/send' }),
    f('method', 'choice', { basic: true, options: ['POST', 'GET', 'PUT'] }),
    f('headers', 'pairs', { basic: true, mono: true, placeholder: 'Authorization: Bearer {secret}' }),
    f('body', 'area', { basic: true, mono: true, placeholder: '{"to":"{to}","text":"{text}"}' }),
    f('form', 'tick', { basic: true }),
    f('success.path', 'text', { basic: true, mono: true, placeholder: 'result.code' }),
    f('success.values', 'list', { basic: true, mono: true, placeholder: '0' }),
    f('refused.path', 'text', { mono: true }),
    f('refused.values', 'list', { mono: true }),
    f('provider_id', 'text', { mono: true, placeholder: 'data.id' }),
    f('prices', 'prices', { mono: true, placeholder: '86: 45' }),
    f('receipt.check', 'choice', { options: ['', 'body', 'twilio', 'link'] }),
    f('receipt.header', 'text', { mono: true }),
    f('receipt.url', 'text', { mono: true }),
    f('receipt.id', 'text', { mono: true }),
    f('receipt.state', 'text', { mono: true }),
    f('receipt.error', 'text', { mono: true }),
    f('receipt.delivered', 'list', { mono: true }),
    f('receipt.failed', 'list', { mono: true }),
    f('receipt.recipient', 'list', { mono: true }),
    f('ca', 'area', { mono: true, placeholder: '-----BEGIN CERTIFICATE-----' }),
  ],
}

export const secrets: Record<Kind, readonly { name: keyof S['ProviderSecrets']; area?: boolean; basic?: boolean }[]> = {
  smtp: [{ name: 'password', basic: true }, { name: 'dkim_key', area: true }],
  smpp: [{ name: 'password', basic: true }],
  http: [{ name: 'secret', basic: true }, { name: 'receipt_secret' }],
}

/** The key of a field's name; names are shared where they mean the same. */
export function nameOf(kind: Kind, key: string): DeliveryKey {
  const shared = ['ca', 'prices', 'recipient']
  return `made.f.${shared.includes(key) ? key : `${kind}.${key}`}` as DeliveryKey
}

const lines = (text: string) => text.split('\n').map((l) => l.trim()).filter((l) => l !== '')

/** What is stored, as a form has it. */
export function toForm(kind: Kind, stored: Record<string, unknown> | undefined): Values {
  const values: Values = {}
  for (const s of settings[kind]) {
    const v = s.key.split('.').reduce<unknown>((o, k) => (o as Record<string, unknown> | undefined)?.[k], stored)
    if (s.type === 'tick') values[s.key] = v === true
    else if (s.type === 'list') values[s.key] = Array.isArray(v) ? v.join('\n') : ''
    else if (s.type === 'pairs' || s.type === 'prices') values[s.key] = Object.entries((v ?? {}) as Record<string, unknown>).map(([k, w]) => `${k}: ${String(w)}`).join('\n')
    else values[s.key] = v === undefined || (v === 0 && s.placeholder !== undefined) ? '' : String(v)
    if (s.type === 'choice' && values[s.key] === '') values[s.key] = s.options?.[0] ?? ''
  }
  return values
}

/** What a form holds, as the contract wants it; what is empty is left out. */
export function toWire(kind: Kind, values: Values): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const s of settings[kind]) {
    const raw = values[s.key] ?? ''
    let v: unknown
    if (typeof raw === 'boolean') v = raw || undefined
    else if (s.type === 'number') v = raw.trim() === '' ? undefined : Number(raw)
    else if (s.type === 'list') v = lines(raw).length > 0 ? lines(raw) : undefined
    else if (s.type === 'pairs' || s.type === 'prices') {
      const pairs = lines(raw).map((l): [string, unknown] => {
        const i = l.indexOf(':')
        const [k, w] = i < 0 ? [l, ''] : [l.slice(0, i).trim(), l.slice(i + 1).trim()]
        return [k, s.type === 'prices' ? Number(w) : w]
      })
      v = pairs.length > 0 ? Object.fromEntries(pairs) : undefined
    } else v = (s.type === 'area' ? raw : raw.trim()) || undefined
    if (s.type === 'choice' && v === 'POST') v = undefined
    if (v === undefined) continue
    const [first = '', second] = s.key.split('.')
    if (second === undefined) out[first] = v
    else out[first] = { ...(out[first] as object | undefined), [second]: v }
  }
  // A receipt that nobody checks is none.
  if ((out.receipt as { check?: string } | undefined)?.check === undefined) delete out.receipt
  return out
}
