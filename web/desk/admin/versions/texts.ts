// Texts of the pages beside: versions of the configuration.
import { catalogue, speak } from '../../../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type SystemKey = keyof typeof zh
export const yt = catalogue<SystemKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A page that asks for them waits until they are here.
await speak()
