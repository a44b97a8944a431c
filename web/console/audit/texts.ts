// Texts of the audit, loaded with its page.
import { catalogue, speak } from '../../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type AuditKey = keyof typeof zh
export const a = catalogue<AuditKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A screen that asks for them waits until they are here.
await speak()
