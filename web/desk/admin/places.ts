// The places of the administration: one line each. A place's page, its texts
// and what it needs are loaded when it is opened.
import type { Component } from 'svelte'
import { language } from '../../kit/i18n.svelte'
import { session, type Session } from '../../kit/session.svelte'

export type Role = NonNullable<Session['role']>
/** What a page gets: the parts of the address behind its place, as `['17', 'runs']` of `/desk/admin/rules/17/runs`. */
export interface PageProps {
  path: string[]
}
type Both = readonly [zh: string, en: string]
export type Group = 'service' | 'texts' | 'people' | 'messages' | 'system'

export interface Place {
  id: string
  group: Group
  /** Who may open it. */
  see: readonly Role[]
  /** Who may change something there. */
  change: readonly Role[]
  name: Both
  about: Both
  page: () => Promise<{ default: Component<PageProps> }>
}

const at = (id: string, group: Group, see: readonly Role[], change: readonly Role[], name: Both, about: Both, page: Place['page']): Place => ({ id, group, see, change, name, about, page })

// Who sees and who changes, as the policy of the desk's API has it.
export const administrators = ['administrator'] as const
export const supervisors = ['administrator', 'supervisor'] as const
export const auditors = ['administrator', 'auditor'] as const
export const overseers = ['administrator', 'supervisor', 'auditor'] as const
export const workers = ['administrator', 'supervisor', 'engineer'] as const
export const house = ['administrator', 'supervisor', 'engineer', 'auditor'] as const

export const groups: readonly { id: Group; name: Both }[] = [
  { id: 'service', name: ['服务内容', 'What we offer'] },
  { id: 'texts', name: ['文字与自动化', 'Texts and automation'] },
  { id: 'people', name: ['人员与权限', 'People and access'] },
  { id: 'messages', name: ['邮件与短信', 'Mail and messages'] },
  { id: 'system', name: ['系统', 'System'] },
]

export const places: readonly Place[] = [
  // What we offer
  at('catalog', 'service', auditors, administrators, ['服务目录', 'Catalogue'], ['产品、问题类型、模板、附加参数，中英文并列', 'Products, problem types, templates and extra parameters, in both languages'], () => import('./service/Catalog.svelte')),
  at('sla', 'service', auditors, administrators, ['严重程度与服务时限', 'Severities and service levels'], ['按支持计划承诺的时间、工作日历、试算', 'What each plan promises, calendars, and what a change would mean'], () => import('./service/Sla.svelte')),
  at('limits', 'service', auditors, administrators, ['配额与限制', 'Quotas and limits'], ['数量上限，是否须先签署协议', 'How many, and whether to sign an agreement first'], () => import('./service/Limits.svelte')),
  at('agreements', 'service', house, administrators, ['协议', 'Agreements'], ['版本、发布、差别、谁签署过', 'Versions, publishing, differences, who signed'], () => import('./service/Agreements.svelte')),

  // Texts and automation
  at('templates', 'texts', auditors, administrators, ['邮件与短信文字', 'Mail and message texts'], ['通知客户和同事的文字，可预览、可恢复', 'What notices say, with a preview and the way back'], () => import('./writing/Templates.svelte')),
  at('macros', 'texts', house, workers, ['宏', 'Macros'], ['一步完成多项操作', 'Several actions in one step'], () => import('./writing/Macros.svelte')),
  at('snippets', 'texts', house, workers, ['常用语', 'Snippets'], ['写回复时插入的文字', 'Texts to write with'], () => import('./writing/Snippets.svelte')),
  at('rules', 'texts', house, supervisors, ['自动规则', 'Rules'], ['当、如果、就；试运行、版本、运行记录', 'When, if, then: trial runs, versions and what they did'], () => import('./writing/Rules.svelte')),

  // People and access
  at('accounts', 'people', auditors, administrators, ['账号', 'Accounts'], ['客户的账号、用户、用户组、权限、委托、资源、诊断、沙箱', 'Customers: users, groups, rights, agencies, resources, diagnoses, sandboxes'], () => import('./people/Accounts.svelte')),
  at('engineers', 'people', overseers, supervisors, ['工程师与同事', 'Engineers and colleagues'], ['本方人员：资料、登录、技能、容量、班次', 'People of the house: details, signing in, skills, capacity, shifts'], () => import('./people/Engineers.svelte')),
  at('teams', 'people', overseers, supervisors, ['团队', 'Teams'], ['成员和负责人', 'Members and lead'], () => import('./people/Teams.svelte')),
  at('roles', 'people', auditors, administrators, ['角色', 'Roles'], ['谁有哪些角色，角色可以做什么', 'Who has which, and what it may do'], () => import('./people/Roles.svelte')),
  at('partners', 'people', overseers, administrators, ['服务伙伴', 'Partners'], ['服务时间、范围、伙伴的工程师', 'Hours, what they serve, their engineers'], () => import('./people/Partners.svelte')),
  at('keys', 'people', auditors, administrators, ['访问密钥', 'Access keys'], ['AK/SK 的创建、停用和最近使用', 'AK and SK: create, disable, last use'], () => import('./people/Keys.svelte')),

  // Mail and messages
  at('providers', 'messages', auditors, administrators, ['发送通道', 'Providers'], ['邮件服务器、短信中心与网关，测试与完整对话', 'Mail servers, text message centres and gateways; tests with the whole conversation'], () => import('./delivery/Providers.svelte')),
  at('deliveries', 'messages', house, [], ['发送记录', 'Delivery log'], ['每条邮件与短信的去向', 'What became of every mail and text message'], () => import('./delivery/Deliveries.svelte')),
  at('codes', 'messages', auditors, administrators, ['验证码短信', 'Codes by text message'], ['用量、转化、自动停发', 'Traffic, how many are entered, what was stopped'], () => import('./delivery/Codes.svelte')),
  at('blocked', 'messages', auditors, administrators, ['暂停的联系方式', 'Blocked contacts'], ['服务商表示不存在的邮箱与号码', 'Addresses and numbers that providers returned'], () => import('./delivery/Blocked.svelte')),
  at('mailboxes', 'messages', auditors, administrators, ['收信邮箱', 'Mailboxes'], ['邮件从哪里来、是否正常', 'Where mails come in, and how that does'], () => import('./delivery/Mailboxes.svelte')),
  at('mail', 'messages', supervisors, supervisors, ['邮件隔离区', 'Mail quarantine'], ['等待人工判断的来信', 'Mails that wait for a person'], () => import('./delivery/Quarantine.svelte')),
  at('catcher', 'messages', administrators, [], ['消息捕获器', 'Catcher'], ['演示与沙箱中本应发出的消息', 'What a demo world or sandbox would have sent'], () => import('./delivery/Catcher.svelte')),

  // System
  at('webhooks', 'system', auditors, administrators, ['Webhook', 'Webhooks'], ['事件的接收方、密钥、发送记录、重新发送', 'Receivers of events, secrets, delivery log, sending again'], () => import('./ops/Webhooks.svelte')),
  at('audit', 'system', auditors, administrators, ['审计', 'Audit log'], ['谁做了什么，链条核对，导出', 'Who did what; verify the chain, export'], () => import('./ops/Audit.svelte')),
  at('privacy', 'system', auditors, administrators, ['个人数据', 'Privacy'], ['查询、清除、保全、按期清理、数据副本', 'Look, erase, hold, retention, copies'], () => import('./ops/Privacy.svelte')),
  at('abuse', 'system', supervisors, supervisors, ['违规举报', 'Abuse reports'], ['客户提交的举报', 'What customers have reported'], () => import('./ops/Abuse.svelte')),
  at('system', 'system', house, administrators, ['系统', 'System'], ['版本、存储、等待的任务、生效的设置、备份', 'Version, storage, what waits, settings in force, backup'], () => import('./ops/System.svelte')),
  at('versions', 'system', administrators, administrators, ['配置版本', 'Configuration versions'], ['每次修改的内容，以及恢复', 'What each change did, and the way back'], () => import('./versions/Versions.svelte')),

]

/** One of two, in the language in use. */
export function own(both: Both): string {
  return both[language() === 'zh-cn' ? 0 : 1]
}

/** Whether the user's role is one of these. */
export function allowed(roles: readonly Role[]): boolean {
  const role = session()?.role
  return role !== undefined && session()?.partner_id === undefined && roles.includes(role)
}

/** Whether the user may change something at a place. */
export function mayChange(id: string): boolean {
  return allowed(places.find((p) => p.id === id)?.change ?? [])
}

/** The address of a place, or of something in it. */
export function adminPath(id: string, ...path: (string | number)[]): string {
  return ['/desk/admin', id, ...path].map((s, i) => (i === 0 ? s : encodeURIComponent(s))).join('/')
}

/** The place and the rest of an address of the desk (`/admin/rules/17`). */
export function placeOf(pathname: string): { place: Place | undefined; id: string; path: string[] } {
  const [id = '', ...path] = pathname.split('/').slice(2).filter(Boolean).map(decoded)
  return { place: places.find((p) => p.id === id), id, path }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
