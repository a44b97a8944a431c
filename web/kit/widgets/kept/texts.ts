// Texts of drafts, loaded with the first screen that keeps one.
import { catalogue, speak } from '../../i18n.svelte'
import type zh from './texts/zh-cn'

export type DraftKey = keyof typeof zh
export const dt = catalogue<DraftKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A screen that asks for them waits until they are here.
await speak()
