// Texts of one's own account, loaded with the screen that shows it.
import { catalogue, speak } from '../i18n.svelte'
import type zh from './texts/zh-cn'

export type AccountKey = keyof typeof zh
export const at = catalogue<AccountKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A screen that asks for them waits until they are here.
await speak()
