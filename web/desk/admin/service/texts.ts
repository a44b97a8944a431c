// Texts of what we offer: catalogue, service levels, limits, agreements.
import { catalogue, speak } from '../../../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type ServiceKey = keyof typeof zh
export const st = catalogue<ServiceKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A page that asks for them waits until they are here.
await speak()
