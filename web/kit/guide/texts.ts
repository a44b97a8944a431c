// Texts of the newcomer's guide, loaded with it.
import { catalogue, speak } from '../i18n.svelte'
import type zh from './texts/zh-cn'

export type GuideKey = keyof typeof zh
export const g = catalogue<GuideKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// What asks for them waits until they are here.
await speak()
