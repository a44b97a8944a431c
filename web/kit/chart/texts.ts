// Texts of charts, loaded with the pages that have some.
import { catalogue, speak } from '../i18n.svelte'
import type zh from './texts/zh-cn'

export type ChartKey = keyof typeof zh
export const ct = catalogue<ChartKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A screen that asks for them waits until they are here.
await speak()
