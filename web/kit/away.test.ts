import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { away, streaming } from './away.svelte'

let answer: () => Promise<{ status: number }>
beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('fetch', vi.fn(() => answer()))
  vi.stubGlobal('document', { visibilityState: 'visible' })
  vi.stubGlobal('navigator', { onLine: true })
})
afterEach(() => {
  streaming(true, () => undefined)
  vi.useRealTimers()
  vi.unstubAllGlobals()
})
const gone = () => Promise.reject(new TypeError('failed'))

test('said behind the second failure, no longer said when it answers; what the page shows is then read anew', async () => {
  const came = vi.fn()
  answer = gone
  streaming(false, came)
  await vi.advanceTimersByTimeAsync(1600)
  expect(away()).toBe(false) // a restart is over by then, as a rule
  await vi.advanceTimersByTimeAsync(3100)
  expect(away()).toBe(true)
  answer = () => Promise.resolve({ status: 502 }) // a proxy that stands alone
  await vi.advanceTimersByTimeAsync(6100)
  expect([away(), came.mock.calls.length]).toEqual([true, 0])
  answer = () => Promise.resolve({ status: 401 }) // whoever it refuses, it is there
  await vi.advanceTimersByTimeAsync(3100)
  expect([away(), came.mock.calls.length]).toEqual([false, 1])
})

test('a stream that stands again ends it; without a network it is not the server', async () => {
  const came = vi.fn()
  answer = gone
  streaming(false, came)
  await vi.advanceTimersByTimeAsync(5000)
  expect(away()).toBe(true)
  streaming(true, came)
  expect([away(), came.mock.calls.length]).toEqual([false, 1])
  const asked = vi.mocked(fetch).mock.calls.length
  await vi.advanceTimersByTimeAsync(60_000)
  expect(vi.mocked(fetch).mock.calls.length).toBe(asked) // and nobody asks any more
  vi.stubGlobal('navigator', { onLine: false })
  streaming(false, came)
  await vi.advanceTimersByTimeAsync(60_000)
  expect([away(), vi.mocked(fetch).mock.calls.length]).toEqual([false, asked])
})

test('where the stream fell silent one failure is enough, and it is looked for at once', async () => {
  answer = () => new Promise((_, no) => setTimeout(() => no(new DOMException('', 'TimeoutError')), 4000))
  streaming(false, () => undefined, true)
  await vi.advanceTimersByTimeAsync(3900)
  expect(away()).toBe(false)
  await vi.advanceTimersByTimeAsync(200)
  expect(away()).toBe(true)
})
