import { afterEach, expect, test, vi } from 'vitest'
import { keep, kept } from './drafts'
import { purge } from './old'

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})
/** A browser's storage: its entries are properties, as `Object.keys` sees them. */
function storage(): Record<string, string> {
  const items: Record<string, string> = {}
  const api = { getItem: (k: string) => items[k] ?? null, setItem: (k: string, v: string) => void (items[k] = v), removeItem: (k: string) => delete items[k] }
  vi.stubGlobal('localStorage', new Proxy(items, { get: (_, k) => (k in api ? api[k as keyof typeof api] : items[k as string]) }))
  return items
}

test('drafts past 30 days go from the storage, whoever wrote them, with what is no draft; younger ones and the rest stay', () => {
  const items = storage()
  vi.useFakeTimers({ now: new Date('2026-01-01') })
  keep('old', 'reply.1', 'left')
  vi.setSystemTime(new Date('2026-01-02'))
  keep('me', 'reply.2', 'still')
  items['casemate.draft.me.odd'] = 'not json'
  items['casemate.prefs'] = '{}'
  vi.setSystemTime(new Date('2026-01-31T12:00:00Z'))
  expect(kept('old', 'reply.1'), 'both mean the same 30 days').toBeUndefined()
  purge()
  expect(Object.keys(items).sort()).toEqual(['casemate.draft.me.reply.2', 'casemate.prefs'])
  expect(kept('me', 'reply.2')?.value).toBe('still')
  purge(new Date('2026-02-02').getTime())
  expect(Object.keys(items)).toEqual(['casemate.prefs'])
})

test('a browser that keeps nothing is no fault', () => {
  vi.stubGlobal('localStorage', undefined)
  expect(() => purge()).not.toThrow()
})
