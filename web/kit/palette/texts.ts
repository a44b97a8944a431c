// Texts of the palettes' list, loaded with it.
import { catalogue, speak } from '../i18n.svelte'
import type zh from './texts/zh-cn'

export type PickerKey = keyof typeof zh
export const pt = catalogue<PickerKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// Who asks for it waits until they are here.
await speak()
