// Texts of the screens that are loaded when they are opened.
import '../kit/late.css'
import { catalogue, speak, type Values } from '../kit/i18n.svelte'
import type zh from './more/zh-cn'
import type { Key } from './texts'

export type MoreKey = keyof typeof zh
export const m = catalogue<MoreKey>({ 'zh-cn': () => import('./more/zh-cn'), 'en-us': () => import('./more/en-us') })
/** For a screen that shows texts of the frame as well. */
export const mt = m as (key: MoreKey | Key, values?: Values) => string

// A screen that asks for them waits until they are here.
await speak()
