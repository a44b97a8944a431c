// What the audit page reads, and the addresses of its filters.
import { web } from '../../kit/api'
import type { components } from '../../kit/api/web'
import { unwrap } from '../../kit/errors'
import { language } from '../../kit/i18n.svelte'
import { prefs } from '../../kit/prefs.svelte'

export type Entry = components['schemas']['AuditEntry']

/** What somebody looks for, as the names of the contract (internal/ticket, traces); `ticket` is all that is of a ticket. */
export const kinds = {
  ticket: [],
  contact: ['updateCaseContactInfo', 'deleteCaseContactInfo', 'revealCaseContactInfo', 'verifyContact', 'clearContacts'],
  authorization: ['confirmAuthorizations', 'rejectAuthorization', 'cancelAuthorization', 'expireAuthorization', 'checkHosts', 'revealAuthorization', 'openSession', 'closeSession', 'showSessionRecords'],
  login: ['login', 'logout', 'changePassword', 'changeSecondFactor', 'useRecoveryCode', 'linkUser'],
  key: ['createAccessKey', 'updateAccessKey', 'disableAccessKey', 'enableAccessKey', 'deleteAccessKey', 'createTemporaryAccessKey'],
  right: ['createPrivileges', 'createUser', 'disableUser', 'updateUser', 'createGroup', 'updateGroup', 'deleteGroup', 'addGroupMember', 'removeGroupMember'],
  file: ['uploadAccessory', 'deleteAccessory'],
  label: ['createLabel', 'updateLabel', 'deleteLabel', 'createCaseLabels', 'deleteCaseLabels'],
  agreement: ['signAgreement'],
  data: ['exportCases', 'createDataBundle', 'downloadDataBundle', 'eraseUser', 'clearContacts'],
  account: ['updateDomain', 'disableDomain', 'closeDomain', 'changeSupportPlan', 'setPartner', 'createAgency', 'deleteAgency'],
} as const satisfies Record<string, readonly string[]>
export type Kind = keyof typeof kinds
export const isKind = (text: string): text is Kind => Object.hasOwn(kinds, text)

export interface Filter {
  from: string // days in the reader's zone, both within it
  to: string
  what: Kind | ''
  who: string
  ticket: string
  cursor: string
}

/** The instant a day begins in the reader's zone: 2026-11-25 is 2026-11-24T16:00:00Z for Shanghai. */
export function begins(day: string, zone = prefs.zone): Date {
  const utc = Date.parse(`${day}T00:00:00Z`)
  const shown = (at: number): number => {
    const parts = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).formatToParts(at)
    const of = (type: string) => Number(parts.find((p) => p.type === type)?.value)
    return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'))
  }
  try {
    let at = utc - (shown(utc) - utc)
    at -= shown(at) - utc // where the clock was changed in between
    return new Date(at)
  } catch {
    return new Date(`${day}T00:00:00`) // a zone this browser does not know: its own
  }
}

function asked(f: Filter, limit: number) {
  const ticket = f.ticket !== '' || f.what === 'ticket'
  const names = f.what === '' ? [] : kinds[f.what]
  const next = new Date(Date.parse(`${f.to}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10)
  return {
    from: begins(f.from).toISOString(),
    to: new Date(begins(next).getTime() - 1).toISOString(),
    trace_name: names.length > 0 ? [...names] : undefined,
    user_id: f.who || undefined,
    resource_type: ticket ? 'case' : undefined,
    resource_id: f.ticket || undefined,
    cursor: f.cursor || undefined,
    limit,
  }
}

export const page = 50
const fetchPage = (f: Filter, limit: number, signal: AbortSignal) => unwrap(web.GET('/web/v1/audit', { params: { query: asked(f, limit) }, signal }))

export const auditQuery = (f: Filter) => ({
  queryKey: ['audit', f, language(), prefs.zone],
  queryFn: ({ signal }: { signal: AbortSignal }) => fetchPage(f, page, signal),
})

export const most = 20_000 // entries of a file

/** All entries of a filter, newest first, `most` of them at the most; tells how many came so far. */
export async function everything(f: Filter, signal: AbortSignal, came: (n: number) => void): Promise<{ all: Entry[]; more: boolean }> {
  const all: Entry[] = []
  let cursor = ''
  for (;;) {
    const got = await fetchPage({ ...f, cursor }, 200, signal)
    all.push(...got.items)
    came(all.length)
    cursor = got.next_cursor ?? ''
    if (cursor === '' || all.length >= most) return { all: all.slice(0, most), more: cursor !== '' }
  }
}
