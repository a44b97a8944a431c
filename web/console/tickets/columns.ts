// What a ticket's row shows beside number, title and state.
import { createQuery } from '@tanstack/svelte-query'
import { preferencesQuery, setPreferences } from '../../kit/account/preferences'
import { queries } from '../../kit/query'
import { toast } from '../../kit/say.svelte'
import { sayAll } from '../../kit/text'

export const columns = ['product', 'problem', 'region', 'by', 'created', 'last', 'labels'] as const
export type Column = (typeof columns)[number]
export const usual: Column[] = ['product', 'problem', 'by', 'created', 'last', 'labels']

export const known = (list: string[] | undefined): Column[] => (list === undefined ? usual : columns.filter((c) => list.includes(c)))

/** The user's columns, called while a component is made. */
export function ownColumns(): () => Column[] {
  const own = createQuery(() => preferencesQuery())
  return () => known(own.data?.columns)
}

export async function setColumns(next: Column[]): Promise<void> {
  const { queryKey } = preferencesQuery()
  const before = queries.getQueryData(queryKey)
  queries.setQueryData(queryKey, { ...(before as object), columns: next })
  try {
    await setPreferences({ columns: next })
  } catch (e) {
    queries.setQueryData(queryKey, before)
    toast(sayAll(e), { bad: true })
  }
}
