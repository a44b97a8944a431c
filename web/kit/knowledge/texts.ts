// Texts about articles that console and desk share, loaded with them.
import { catalogue, speak } from '../i18n.svelte'
import type zh from './texts/zh-cn'

export type NoteKey = keyof typeof zh
export const nt = catalogue<NoteKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A screen that asks for them waits until they are here.
await speak()
