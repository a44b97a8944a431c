// Texts of one's own account in the console, loaded with its page.
import { catalogue, speak } from '../../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type MeKey = keyof typeof zh
export const o = catalogue<MeKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A screen that asks for them waits until they are here.
await speak()
