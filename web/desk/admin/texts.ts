// Texts of the administration's frame and of what its pages share. A place's
// own texts lie beside its page, made the same way.
import { catalogue, speak } from '../../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type AdminKey = keyof typeof zh
export const a = catalogue<AdminKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A page that asks for them waits until they are here.
await speak()
