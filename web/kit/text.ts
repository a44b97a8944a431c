// The kit's own texts, and the sentences for failures.
import { asFailure, type Failure } from './errors'
import { catalogue } from './i18n.svelte'
import type zh from './texts/zh-cn'

export type KitKey = keyof typeof zh
export const kt = catalogue<KitKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

/** Refused for want of a right, without a reason of its own. */
const barred = (f: Failure) => f.status === 403 && /^(没有操作权限|No operation permission\.?)$/.test(f.message)

/** The sentence for a failure. A code without a sentence of its own goes by its status; a conflict is the server's to name, who knows of what: not each is another's change. */
export function say(error: unknown): string {
  const f = asFailure(error)
  if (barred(f)) return kt('error.403')
  const own = `error.${f.code}` as KitKey
  if (kt(own) !== own) return kt(own)
  if (f.status === 409 && f.message) return words(f)
  if ([401, 403, 404, 429, 501].includes(f.status)) return kt(`error.${f.status}` as KitKey)
  return kt(f.status >= 500 ? 'error.5xx' : f.status === 0 ? 'error.unknown' : 'error.other')
}

/** What the server said itself, when it adds something: which field, which rule. Other codes' sentences say it all. */
export function detailOf(f: Failure): string {
  const own = `error.${f.code}` as KitKey
  if (f.status === 0 || barred(f) || (kt(own) === own ? f.status === 409 : f.code !== 'OSM.01010001' && f.code !== 'OSM.01010002')) return ''
  return words(f)
}
const words = (f: Failure) => f.message.replace(/（参数：\S+）$| \(field: \S+\)$/, '') // programs know the field by that name, users do not

/** The sentence and the server's own words, for one line. */
export function sayAll(error: unknown): string {
  const f = asFailure(error)
  const d = detailOf(f)
  return d === '' ? say(f) : `${say(f)} ${d}`
}

const picture = /!(\[[^\]\n]{0,255}])\(attachment:[^)\n]*\)/g
/** A text as titles have it: its first line with words, without marks; of pictures in it (pictures.ts) the names, or what is said instead. */
export const plain = (text: string, name = '$1'): string =>
  (text.split('\n').find((l) => /^(?!\s*```).*\S/.test(l.replace(picture, ''))) ?? text).trim().replace(picture, name).replace(/^(?:[-*•]\s+|>\s?)+|`([^`]+)`|\*\*([^*]+)\*\*|(?<!!)\[([^\]]{1,500})]\(https?:[^\s)]+\)/g, '$1$2$3')
