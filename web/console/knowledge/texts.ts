// Texts of the knowledge and figures pages, loaded with them.
import { catalogue, speak } from '../../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type KnowKey = keyof typeof zh
export const k = catalogue<KnowKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A screen that asks for them waits until they are here.
await speak()
