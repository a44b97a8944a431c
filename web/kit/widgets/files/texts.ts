// Texts of uploads, loaded with the first screen that takes files.
import { catalogue, speak } from '../../i18n.svelte'
import type zh from './texts/zh-cn'

export type FilesKey = keyof typeof zh
export const ft = catalogue<FilesKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A screen that asks for them waits until they are here.
await speak()
