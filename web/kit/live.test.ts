import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { follow } from './live'

// What browsers have and this place has not: a stream, and locks by name.
class Source {
  static all: Source[] = []
  static CLOSED = 2
  readyState = 0
  on = new Map<string, ((e: unknown) => void)[]>()
  onopen: (() => void) | undefined
  onerror: (() => void) | undefined
  constructor(readonly url: string) {
    Source.all.push(this)
  }
  addEventListener(kind: string, f: (e: unknown) => void) {
    this.on.set(kind, [...(this.on.get(kind) ?? []), f])
  }
  say(kind: string, data: string, lastEventId: string) {
    this.on.get(kind)?.forEach((f) => f({ data, lastEventId }))
  }
  open() {
    this.onopen?.()
    this.on.get('open')?.forEach((f) => f({}))
  }
  refuse() {
    this.readyState = 2
    this.onerror?.()
  }
  close() {
    this.readyState = 2
  }
}
type Hold = (lock: object | null) => unknown
function locks() {
  const held = new Map<string, Promise<unknown>>()
  const take = (name: string, f: Hold): Promise<unknown> => {
    const done = Promise.resolve(f({}))
    const end = done.finally(() => held.get(name) === end && held.delete(name))
    held.set(name, end)
    return done
  }
  return {
    request: async (name: string, o: { ifAvailable?: boolean; signal?: AbortSignal }, f: Hold): Promise<unknown> => {
      if (o.ifAvailable) return held.has(name) ? f(null) : take(name, f)
      while (held.has(name)) await held.get(name)
      if (o.signal?.aborted) throw new DOMException('', 'AbortError')
      return take(name, f)
    },
  }
}
const settle = () => new Promise((r) => setTimeout(r, 5))

beforeEach(() => {
  Source.all = []
  vi.stubGlobal('EventSource', Source)
  vi.stubGlobal('navigator', { locks: locks() })
  vi.stubGlobal('document', { visibilityState: 'visible', addEventListener: () => undefined, removeEventListener: () => undefined })
})
afterEach(() => vi.unstubAllGlobals())

test('a tab that waited for the stream asks for what came between, one that had it at once does not', async () => {
  const [one, two]: [string[], string[]] = [[], []]
  const end = follow('/first', (e) => one.push(e.kind))
  await settle()
  expect(Source.all).toHaveLength(1)
  Source.all[0]?.open()
  const end2 = follow('/first', (e) => two.push(e.kind))
  await settle()
  expect(Source.all).toHaveLength(1) // one stream for both
  expect([one, two]).toEqual([[], []])
  end()
  await settle()
  expect(Source.all).toHaveLength(2)
  expect(two).toEqual([]) // not before it stands: what comes from then on is heard
  Source.all[1]?.open()
  expect(two).toEqual(['reset'])
  end2()
  await settle()
})

test('a tab that left the line does not take the stream', async () => {
  const end = follow('/second', () => undefined)
  await settle()
  const end2 = follow('/second', () => undefined)
  await settle()
  end2()
  end()
  await settle()
  expect(Source.all).toHaveLength(1)
})

test('a stream over which nothing comes is given up behind two signs of life, and asked anew for what came since', async () => {
  vi.useFakeTimers()
  const states: [boolean, boolean | undefined][] = []
  const end = follow('/third', () => undefined, (live, silent) => states.push([live, silent]))
  await vi.advanceTimersByTimeAsync(1)
  const first = Source.all[0]
  first?.open()
  first?.say('alive', '{"every":1000}', '41')
  for (let i = 0; i < 10; i++) {
    await vi.advanceTimersByTimeAsync(1000)
    first?.say(i === 4 ? 'message.new' : 'alive', '{"every":1000}', i < 4 ? '41' : '42')
  }
  expect(Source.all).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(3900)
  expect(states).toEqual([[true, false]])
  await vi.advanceTimersByTimeAsync(200)
  expect(states.at(-1)).toEqual([false, true])
  expect(first?.readyState).toBe(2)
  expect(Source.all.map((s) => s.url)).toEqual(['/third', '/third?last_event_id=42'])
  await vi.advanceTimersByTimeAsync(4100) // the next one, which nobody answers
  expect(Source.all).toHaveLength(3)
  Source.all[2]?.open()
  expect(states.at(-1)).toEqual([true, false])
  end()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(Source.all).toHaveLength(3)
  vi.useRealTimers()
})

test('a stream of a server that gives no sign of life is let stand; one that is refused with a number is asked for without', async () => {
  vi.useFakeTimers()
  const before = Source.all.length
  const states: boolean[] = []
  const end = follow('/fourth', () => undefined, (live) => states.push(live))
  await vi.advanceTimersByTimeAsync(1)
  Source.all[before]?.open()
  Source.all[before]?.say('message.new', '{}', '7')
  await vi.advanceTimersByTimeAsync(120_000)
  expect(states).toEqual([true])
  expect(Source.all).toHaveLength(before + 1)
  Source.all[before]?.refuse()
  await vi.advanceTimersByTimeAsync(11_000)
  expect(Source.all.at(-1)?.url).toBe('/fourth')
  end()
  vi.useRealTimers()
})
