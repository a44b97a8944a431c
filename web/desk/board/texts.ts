// Texts of the board, loaded with it.
import { catalogue, speak } from '../../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type BoardKey = keyof typeof zh
export const b = catalogue<BoardKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A screen that asks for them waits until they are here.
await speak()
