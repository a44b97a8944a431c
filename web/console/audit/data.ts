// What the audit page reads, and the addresses of its filters.
import { web } from '../../kit/api'
import type { components } from '../../kit/api/web'
import { unwrap } from '../../kit/errors'
import { language } from '../../kit/i18n.svelte'
import { prefs } from '../../kit/prefs.svelte'
import { begins } from '../../kit/zone'

export type Entry = components['schemas']['AuditEntry']

/** What somebody looks for, as the names of the contract (internal/ticket, traces); `ticket` is all that is of a ticket. */
export const kinds = {
  ticket: [],
  contact: ['updateCaseContactInfo', 'deleteCaseContactInfo', 'revealCaseContactInfo', 'verifyContact', 'clearContacts'],
  authorization: ['requestAuthorization', 'confirmAuthorizations', 'rejectAuthorization', 'cancelAuthorization', 'expireAuthorization', 'checkHosts', 'revealAuthorization', 'openSession', 'closeSession', 'showSessionRecords'],
  login: ['login', 'loginFailed', 'logout', 'changePassword', 'changeSecondFactor', 'useRecoveryCode', 'linkUser'],
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

function asked(f: Filter, limit: number) {
  const ticket = f.ticket !== '' || f.what === 'ticket'
  const names = f.what === '' ? [] : kinds[f.what]
  return {
    from: begins(f.from).toISOString(),
    to: new Date(begins(f.to, undefined, 1).getTime() - 1).toISOString(),
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
