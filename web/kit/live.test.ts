import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { follow } from './live'

// What browsers have and this place has not: a stream, and locks by name.
class Source {
  static all: Source[] = []
  readyState = 0
  on = new Map<string, ((e: unknown) => void)[]>()
  onopen: (() => void) | undefined
  constructor(readonly url: string) {
    Source.all.push(this)
  }
  addEventListener(kind: string, f: (e: unknown) => void) {
    this.on.set(kind, [...(this.on.get(kind) ?? []), f])
  }
  open() {
    this.onopen?.()
    this.on.get('open')?.forEach((f) => f({}))
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
