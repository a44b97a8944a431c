import { afterEach, beforeEach, expect, test, vi } from 'vitest'

/** What a browser keeps for all its pages. */
function storage(): Storage {
  const all: Record<string, string> = {}
  const calls = { getItem: (k: string) => all[k] ?? null, setItem: (k: string, v: string) => void (all[k] = v), removeItem: (k: string) => void delete all[k] }
  return new Proxy(all, { get: (_, k) => calls[k as keyof typeof calls] }) as unknown as Storage
}
/** A page: modules of its own over the same storage. */
async function page() {
  vi.resetModules()
  return { ...(await import('./parts/unsent')), ...(await import('../kit/drafts')) }
}
const reply = (once: string, failed = 'no network', at = 1) => ({ once, at, group: '', text: once, files: [], failed })
const names = (list: { once: string }[]) => list.map((x) => x.once)

beforeEach(() => void vi.stubGlobal('localStorage', storage()))
afterEach(() => vi.unstubAllGlobals())

test('what is sent on one page leaves what another has', async () => {
  const [a, b] = [await page(), await page()]
  b.keepUnsent('u', 'T1', [reply('b1')])
  a.keepUnsent('u', 'T1', []) // sent: this page has nothing left
  expect(names((await page()).unsent('u', 'T1'))).toEqual(['b1'])
  a.keepUnsent('u', 'T1', [reply('a1')])
  b.keepUnsent('u', 'T1', [reply('b1'), reply('b2')])
  expect(names((await page()).unsent('u', 'T1')).sort()).toEqual(['a1', 'b1', 'b2'])
  a.keepUnsent('u', 'T1', [])
  expect(names((await page()).unsent('u', 'T1')).sort()).toEqual(['b1', 'b2'])
  b.keepUnsent('u', 'T1', [])
  expect(localStorage.getItem('casemate.draft.u.unsent.T1')).toBeNull()
})

test('what was sent or given up on another page does not come back', async () => {
  const [a, b] = [await page(), await page()]
  a.keepUnsent('u', 'T1', [reply('a1')])
  const both = b.unsent('u', 'T1')
  a.keepUnsent('u', 'T1', [])
  b.keepUnsent('u', 'T1', both)
  expect((await page()).unsent('u', 'T1')).toEqual([])
})

test('what went back into its field and is sent from there once more is kept again', async () => {
  const a = await page()
  a.keepUnsent('u', 'T1', [reply('a1')])
  a.keepUnsent('u', 'T1', [])
  a.keepUnsent('u', 'T1', [reply('a1', '')])
  expect(names((await page()).unsent('u', 'T1'))).toEqual(['a1'])
})

test('a page whose user signed out keeps nothing of his again', async () => {
  const a = await page()
  a.keep('u', 'reply.T1', 'x')
  a.keep('v', 'reply.T1', 'y')
  a.dropAll('u')
  a.keepUnsent('u', 'T1', [reply('a1')])
  expect(a.keep('u', 'reply.T1', 'x')).toBe(0)
  expect(Object.keys(localStorage)).toEqual(['casemate.draft.v.reply.T1'])
})

test('a server knows a key for 24 hours: an hour before that nothing is promised', async () => {
  const { keep, stale, unsent } = await page()
  const hour = 3_600_000
  const now = Date.now()
  expect([22, 23.1, 24, 100].map((h) => stale({ at: now - h * hour }, now))).toEqual([false, true, true, true])
  // Kept by an older page, without times of its own.
  vi.useFakeTimers({ now: now - 30 * hour })
  const { at: _, ...old } = reply('a1')
  keep('u', 'unsent.T1', [old])
  vi.useRealTimers()
  expect(unsent('u', 'T1').map((x) => stale(x, now))).toEqual([true])
})
