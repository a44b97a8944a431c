// Texts of the command palette, loaded with it.
import { catalogue, speak } from '../../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type PaletteKey = keyof typeof zh
export const ct = catalogue<PaletteKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// Who asks for it waits until they are here.
await speak()
