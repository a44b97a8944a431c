// The kinds of access an engineer asks for, from the least right to the most.
// Ids are those of the contract (NewAuthorizationReq).
import type { S } from '../data'
import type { MoreKey } from '../more'

export interface Preset {
  id: 'info' | 'agency' | 'sftp' | 'key' | 'password' | 'vnc' | 'rdp' | 'credential'
  resource: string
  visit: string
  content: string
  host: boolean
  port?: number
  right: 1 | 2 | 3 // how much it lets one do
}

export const presets: Preset[] = [
  { id: 'info', resource: '3', visit: '6', content: '5', host: false, right: 1 },
  { id: 'agency', resource: '2', visit: '4', content: '3', host: false, right: 1 },
  { id: 'sftp', resource: '1', visit: '5', content: '1', host: true, port: 22, right: 2 },
  { id: 'key', resource: '1', visit: '1', content: '2', host: true, port: 22, right: 2 },
  { id: 'password', resource: '1', visit: '1', content: '1', host: true, port: 22, right: 2 },
  { id: 'vnc', resource: '1', visit: '3', content: '1', host: true, port: 5900, right: 3 },
  { id: 'rdp', resource: '1', visit: '2', content: '1', host: true, port: 3389, right: 3 },
  { id: 'credential', resource: '2', visit: '4', content: '4', host: false, right: 3 },
]

export const nameOf = (p: Preset) => `ask.kind.${p.id}` as MoreKey
export const giveOf = (p: Preset) => `ask.give.${p.id}` as MoreKey

/** What the customer is told to enter, as his own form asks for it. */
const notes: Partial<Record<Preset['id'], MoreKey>> = {
  info: 'ask.preview.info.note',
  agency: 'ask.preview.agency.note',
  key: 'ask.preview.key.note',
  vnc: 'ask.preview.vnc.note',
  rdp: 'ask.preview.rdp.note',
  credential: 'ask.preview.credential.note',
}
export const noteOf = (p: Preset): MoreKey => notes[p.id] ?? 'ask.preview.host.note'

/** Reasons to begin with; the engineer goes on writing. */
export const templates = ['logs', 'config', 'repair', 'check'] as const

export const open = (a: S['Authorization']) => a.status === 0 || a.status === 1 || a.status === 6
