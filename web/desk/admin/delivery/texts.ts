// Texts of what leaves and comes in: providers, deliveries, codes, mailboxes,
// quarantine, the catcher.
import { catalogue, speak } from '../../../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type DeliveryKey = keyof typeof zh
export const dt = catalogue<DeliveryKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A page that asks for them waits until they are here.
await speak()
