// What conditions of rules can compare, and how.
import type { S } from '../../data'
import { t, type Key } from '../../texts'
import { wt, type WritingKey } from './texts'

export type Condition = S['Condition']

/** The operators of a field. */
export function operators(field: string): string[] {
  if (['tags', 'text', 'message', 'description'].includes(field)) return ['contains']
  if (['created', 'changed', 'in_state'].includes(field)) return ['older_than']
  if (field === 'due') return ['within']
  if (field === 'team') return ['eq', 'ne']
  if (field === 'urges') return ['at_least', 'eq', 'ne', 'in']
  if (field === 'status') return ['eq', 'ne', 'in', 'at_least']
  return ['eq', 'ne', 'in']
}

/** What a field's value may be, where it is one of few. */
export function values(field: string): { value: string; text: string }[] | undefined {
  const pick = (prefix: string, list: string[]) => list.map((v) => ({ value: v, text: wt(`${prefix}.${v}` as WritingKey) }))
  if (field === 'status') return ['0', '1', '2', '3', '4', '5', '12', '17'].map((v) => ({ value: v, text: t(`state.${v}` as Key) }))
  if (field === 'by') return pick('by', ['customer', 'engineer', 'system'])
  if (field === 'owner') return pick('side', ['house', 'partner', 'isv'])
  if (field === 'language') return [{ value: 'zh-cn', text: '中文' }, { value: 'en-us', text: 'English' }]
  return undefined
}

/** An event in words: the desk's, else what is written down. */
export function eventName(kind: string): string {
  const own = `event.${kind}` as WritingKey
  if (wt(own) !== own) return wt(own)
  const key = `h.${kind.replace(/^ticket\./, '')}` as Key
  return t(key) === key ? kind : t(key)
}

/** A condition as a sentence. */
export function sentence(c: Condition | undefined): string {
  if (c === undefined) return wt('if.always')
  const of = (list: Condition[], how: 'if.and' | 'if.or') => list.map((x) => (x.all || x.any ? `(${sentence(x)})` : sentence(x))).join(` ${wt(how)} `)
  if (c.all) return of(c.all, 'if.and')
  if (c.any) return of(c.any, 'if.or')
  if (c.not) return `${wt('if.not')} (${sentence(c.not)})`
  const known = values(c.field ?? '')
  const word = (v: string) => known?.find((k) => k.value === v)?.text ?? v
  return `${wt(`field.${c.field}` as WritingKey)} ${wt(`op.${c.op}` as WritingKey)} ${c.values ? c.values.map(word).join(', ') : word(c.value ?? '')}`
}
