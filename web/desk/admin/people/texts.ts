// Texts of people and access: accounts and their users, partners, engineers,
// teams, roles, access keys.
import { catalogue, speak } from '../../../kit/i18n.svelte'
import type zh from './texts/zh-cn'

export type PeopleKey = keyof typeof zh
export const pt = catalogue<PeopleKey>({ 'zh-cn': () => import('./texts/zh-cn'), 'en-us': () => import('./texts/en-us') })

// A page that asks for them waits until they are here.
await speak()
