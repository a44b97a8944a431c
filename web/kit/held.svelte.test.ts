import { flushSync } from 'svelte'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Held } from './held.svelte'

const store = new Map<string, string>()
const away: Record<string, () => void> = {}
beforeEach(() => {
  store.clear()
  vi.useFakeTimers()
  vi.stubGlobal('localStorage', { getItem: (k: string) => store.get(k) ?? null, setItem: (k: string, v: string) => void store.set(k, v), removeItem: (k: string) => void store.delete(k) })
  vi.stubGlobal('addEventListener', (name: string, run: () => void) => void (away[name] = run))
  vi.stubGlobal('removeEventListener', () => undefined)
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** A form of one text, as a component has it. */
function form(place: () => string, start = () => '', carry = false) {
  let text = $state(start())
  let held!: Held<string>
  const leave = $effect.root(() => {
    held = new Held({ place, read: () => text, write: (x) => (text = x), start, carry })
  })
  flushSync()
  const type = (x: string) => {
    text = x
    flushSync()
  }
  return { held, leave, type, text: () => text }
}
const keys = () => [...store.keys()]

test('what is typed is kept within 750 ms, and is there again', () => {
  const one = form(() => 'T1.pause')
  one.type('w')
  vi.advanceTimersByTime(700)
  one.type('wait for parts') // typing on does not put it off
  expect(store.size).toBe(0)
  vi.advanceTimersByTime(50)
  expect(keys()).toEqual(['casemate.draft..T1.pause'])
  expect(one.held.at).toBeGreaterThan(0)
  one.leave()
  const again = form(() => 'T1.pause')
  expect(again.text()).toBe('wait for parts')
  expect(again.held.at).toBeGreaterThan(0)
  expect(again.held.moved).toBe(false)
  again.leave()
  expect(form(() => 'T2.pause').text()).toBe('')
})

test('a page that is hidden or left in the middle of a word has it all the same', () => {
  const one = form(() => 'T1.pause')
  one.type('half a')
  away['pagehide']?.()
  expect(store.size).toBe(1)
  one.type('half a word')
  one.leave()
  expect(form(() => 'T1.pause').text()).toBe('half a word')
})

test('sent, discarded and emptied texts go', () => {
  for (const end of ['done', 'discard', 'empty'] as const) {
    const one = form(() => 'T1.pause')
    one.type('words')
    vi.advanceTimersByTime(750)
    expect(store.size, end).toBe(1)
    if (end === 'empty') one.type('')
    else one.held[end]()
    flushSync()
    vi.advanceTimersByTime(1000)
    one.leave()
    expect(store.size, end).toBe(0)
    expect(one.held.at, end).toBe(0)
    expect(one.text(), end).toBe(end === 'done' ? 'words' : '')
  }
})

test('sent in the very moment: nothing comes back', () => {
  const one = form(() => 'T1.pause')
  one.type('words')
  one.held.done()
  vi.advanceTimersByTime(1000)
  one.leave()
  expect(store.size).toBe(0)
})

test('another place has another text', () => {
  let ticket = $state('T1')
  const one = form(() => `${ticket}.close`)
  one.type('of the first')
  ticket = 'T2'
  flushSync()
  expect(one.text()).toBe('')
  one.type('of the second')
  vi.advanceTimersByTime(750)
  ticket = 'T1'
  flushSync()
  expect(one.text()).toBe('of the first')
  expect(keys().sort()).toEqual(['casemate.draft..T1.close', 'casemate.draft..T2.close'])
  ticket = '' // nowhere
})

test('sent from a place that is left by now: its text goes, the one of the present place stays', () => {
  let ticket = $state('T1')
  const one = form(() => `${ticket}.close`)
  one.type('of the first')
  vi.advanceTimersByTime(750)
  ticket = 'T2'
  flushSync()
  one.type('of the second')
  one.held.done('T1.close')
  vi.advanceTimersByTime(750)
  expect(keys()).toEqual(['casemate.draft..T2.close'])
  expect([one.text(), one.held.at > 0]).toEqual(['of the second', true])
  one.leave()
})

test('a form that stands on after it was saved begins with what is saved then', () => {
  let saved = 'version 1'
  const one = form(() => 'admin.template.7', () => saved)
  one.type('version 2')
  one.held.done() // before the page knows of it
  saved = 'version 2'
  one.type('version 2, more')
  one.leave()
  const again = form(() => 'admin.template.7', () => saved)
  expect([again.text(), again.held.moved]).toEqual(['version 2, more', false])
  again.leave()
})

test('a form begun on what has changed since says so, and keeps the words', () => {
  const one = form(() => 'admin.macro.7', () => 'version 1')
  one.type('version 1, mine')
  one.leave()
  const again = form(() => 'admin.macro.7', () => 'version 2')
  expect(again.text()).toBe('version 1, mine')
  expect(again.held.moved).toBe(true)
  again.held.discard()
  expect(again.text()).toBe('version 2')
  again.type('version 2, mine')
  again.leave()
  expect(form(() => 'admin.macro.7', () => 'version 2').held.moved).toBe(false)
})

test('what is written goes along to where nothing is kept, and is kept there alone; where something is, that stands', () => {
  const b = form(() => 'hold.B')
  b.type('of B')
  b.leave()
  let place = $state('hold.')
  const one = form(() => place, undefined, true)
  const to = (p: string) => {
    place = p
    flushSync()
  }
  one.type('as the court asks')
  to('hold.A')
  expect(one.text()).toBe('as the court asks')
  expect(keys().sort()).toEqual(['casemate.draft..hold.A', 'casemate.draft..hold.B'])
  to('hold.B')
  expect(one.text()).toBe('of B')
  to('hold.A')
  expect(one.text()).toBe('as the court asks')
  one.held.discard()
  to('hold.C')
  expect(one.text()).toBe('')
  expect(keys()).toEqual(['casemate.draft..hold.B'])
  one.leave()
})
