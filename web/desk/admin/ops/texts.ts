// Texts of running the installation: webhooks, audit, privacy, system, abuse
// reports.
import { catalogue, speak } from '../../../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type OpsKey = keyof typeof zh
export const ot = catalogue<OpsKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A page that asks for them waits until they are here.
await speak()
