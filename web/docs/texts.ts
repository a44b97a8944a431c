import { catalogue } from '../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type Key = keyof typeof zh
export const t = catalogue<Key>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })
