// The names of the configuration's sections.
import { own } from '../places'

const names: Record<string, readonly [string, string]> = {
  'catalog.sub_type': ['大类', 'Categories'],
  'catalog.product': ['产品', 'Products'],
  'catalog.problem_type': ['问题类型', 'Problem types'],
  'catalog.template': ['工单模板', 'Ticket templates'],
  'catalog.param': ['附加参数', 'Extra parameters'],
  'catalog.common_param': ['通用字段', 'Common fields'],
  'catalog.severity': ['严重程度', 'Severities'],
  'catalog.support_plan': ['支持计划', 'Support plans'],
  'catalog.calendar': ['工作日历', 'Calendars'],
  'catalog.sla': ['服务时限', 'Service levels'],
  'catalog.limits': ['配额与限制', 'Quotas and limits'],
  'catalog.region': ['区域', 'Regions'],
  'catalog.area_code': ['国家（地区）码', 'Calling codes'],
  'catalog.agreement': ['协议', 'Agreements'],
  'catalog.agreement_type': ['协议用途', 'Kinds of agreement'],
  'catalog.diagnosis': ['自助诊断', 'Self-service checks'],
  'catalog.configuration': ['页面参数', 'Values for pages'],
  'catalog.satisfaction_dimension': ['评价维度', 'Satisfaction scores'],
  teams: ['团队', 'Teams'],
  queues: ['队列', 'Queues'],
  views: ['共享视图', 'Shared views'],
  macros: ['宏', 'Macros'],
  snippets: ['常用语', 'Snippets'],
  rules: ['自动规则', 'Rules'],
  templates: ['邮件与短信文字', 'Mail and message texts'],
  engineers: ['工程师', 'Engineers'],
  partners: ['伙伴', 'Partners'],
  domains: ['客户账号', "Customers' accounts"],
  webhooks: ['Webhook', 'Webhooks'],
  providers: ['发送通道', 'Providers'],
}

/** A section as people call it; unknown ones by their own name. */
export function sectionName(id: string): string {
  const n = names[id]
  return n === undefined ? id.replace(/^catalog\./, '') : own(n)
}

const words: Record<string, readonly [string, string]> = {
  targets: ['时限', 'Targets'],
  first_response: ['首次响应', 'First answer'],
  next_response: ['后续响应', 'Next answers'],
  resolution: ['解决', 'Solution'],
  severity: ['严重程度', 'Severity'],
  name: ['名称', 'Name'],
  desc: ['说明', 'Description'],
  content: ['内容', 'Text'],
  version: ['版本', 'Version'],
  clock: ['工作日历', 'Calendar'],
  hours: ['工作时间', 'Working time'],
  holidays: ['假日', 'Holidays'],
  workdays: ['补班日', 'Extra working days'],
  zh: ['中文', 'Chinese'],
  en: ['英文', 'English'],
}

/** A field of a change in words where there are some; places in lists count from 1. */
export function fieldName(field: string, called: Record<string, string> = {}): string {
  return field
    .split('.')
    .map((step) => {
      const w = Object.hasOwn(words, step) ? words[step] : undefined
      if (w === undefined && Object.hasOwn(called, step)) return called[step]
      return w !== undefined ? own(w) : /^\d+$/.test(step) ? `#${Number(step) + 1}` : step
    })
    .join(' · ')
}
