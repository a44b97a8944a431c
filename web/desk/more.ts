// Texts of the screens and layers that are loaded when they are opened.
import { catalogue, speak } from '../kit/i18n.svelte'
import type zh from './more/zh-cn'

export type MoreKey = keyof typeof zh
export const m = catalogue<MoreKey>({ 'zh-cn': () => import('./more/zh-cn'), 'en-us': () => import('./more/en-us') })

// What asks for them waits until they are here.
await speak()
