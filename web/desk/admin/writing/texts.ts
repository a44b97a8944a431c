// Texts of the pages beside: texts of mails, macros, snippets and rules.
import { catalogue, speak } from '../../../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type WritingKey = keyof typeof zh
export const wt = catalogue<WritingKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A page that asks for them waits until they are here.
await speak()
