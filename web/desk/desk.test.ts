import { afterEach, describe, expect, test, vi } from 'vitest'
import { headline, left, type Ticket } from './data'
import { ahead, inLine, laid, leaving } from './ahead.svelte'
import * as data from './data'
import { list } from './list.svelte'
import { takeable } from './takeback'
import en from './texts/en-us'
import zh from './texts/zh-cn'

const row = (number: string, more: Partial<Ticket> = {}): Ticket => ({ number, version: 1, status: 1, status_name: '', domain_id: 'd', description: number, created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z', ...more })

describe('the fuse', () => {
  const at = (minute: number) => Date.parse('2026-01-01T00:00:00Z') + minute * 60_000
  const due = { due_at: '2026-01-01T01:40:00Z', due_kind: 'first_answer' as const, created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T01:00:00Z' }
  test('burns from the creation to the promise', () => {
    expect(left(due, at(0))).toBe(100)
    expect(left(due, at(75))).toBe(25)
    expect(left(due, at(100))).toBe(0)
    expect(left(due, at(500))).toBe(0)
  })
  test('from where the server says that the target is counted', () => {
    expect(left({ ...due, due_from: '2026-01-01T01:00:00Z' }, at(80))).toBe(50)
  })
  test('is absent without a promise', () => {
    expect(left({ ...due, due_at: undefined }, at(0))).toBeUndefined()
  })
})

test('the headline is the first line that says something', () => {
  expect(headline('\n  \n 甲 \n乙')).toBe('甲')
  expect(headline('')).toBe('')
})

describe('the list', () => {
  afterEach(() => vi.restoreAllMocks())
  const answer = (...numbers: string[]) => ({ items: numbers.map((n) => row(n)), total_count: numbers.length })

  test('moves no row: new ones wait, those that left stay marked, changes are put in place', async () => {
    const rows = vi.spyOn(data, 'rows')
    rows.mockResolvedValue(answer('a', 'b', 'c'))
    list.show({ kind: 'queue', id: 'q' }, 'due')
    await vi.waitFor(() => expect(list.items.length).toBe(3))

    rows.mockResolvedValue({ items: [row('n'), row('a', { version: 7 }), row('c')], total_count: 3 })
    await list.look()
    expect(list.items.map((t) => t.number)).toEqual(['a', 'b', 'c'])
    expect(list.fresh).toEqual(['n'])
    expect(list.gone).toEqual({ b: true })
    expect(list.find('a')?.version).toBe(7)
    expect(list.beside('a', 1)?.number).toBe('c') // what left is no next one

    await list.load()
    expect(list.items.map((t) => t.number)).toEqual(['n', 'a', 'c'])
    expect(list.fresh).toEqual([])
    expect(list.gone).toEqual({})
  })

  test('a look that fails keeps the rows and says so; a chosen row that is gone after loading is no longer chosen', async () => {
    const rows = vi.spyOn(data, 'rows')
    rows.mockResolvedValue(answer('a', 'b'))
    list.show({ kind: 'queue', id: 'r' }, 'due')
    await vi.waitFor(() => expect(list.items.length).toBe(2))
    list.choose('a')
    list.choose('b')
    rows.mockRejectedValueOnce(new Error('gone'))
    await list.look()
    expect(list.stale).toBe(true)
    expect(list.items.length).toBe(2)
    rows.mockResolvedValue(answer('b'))
    await list.load()
    expect(list.chosen).toEqual(['b'])
    expect(list.stale).toBe(false)
  })

  test('the rest that is asked for while the list is read waits for it, and reads on', async () => {
    const rows = vi.spyOn(data, 'rows')
    rows.mockResolvedValue({ ...answer('a', 'b'), next_cursor: '2' })
    list.show({ kind: 'queue', id: 's' }, 'due')
    await vi.waitFor(() => expect(list.items.length).toBe(2))
    rows.mockImplementation((_source, _sort, cursor) => new Promise((r) => setTimeout(() => r(cursor === undefined ? { ...answer('a', 'b'), next_cursor: '2' } : answer('c')), 30)))
    const read = list.load()
    await list.rest(100)
    await read
    expect(list.items.map((t) => t.number)).toEqual(['a', 'b', 'c'])
  })
})

test('both languages say the same: the same values, no Chinese in English, nothing empty', () => {
  const values = (text: string) => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]))].sort().join()
  expect(Object.keys(en).sort()).toEqual(Object.keys(zh).sort())
  for (const key of Object.keys(zh) as (keyof typeof zh)[]) {
    expect(values(en[key]), key).toBe(values(zh[key]))
    expect(en[key], key).not.toMatch(/\p{Script=Han}/u)
    expect(en[key].trim(), key).not.toBe('')
    expect(zh[key].trim(), key).not.toBe('')
  }
})

describe('what of a macro can be taken back', () => {
  const one = (revision: number, more: Partial<data.Entry> = {}): data.Entry => ({ id: String(revision), kind: 'ticket.tag', at: '', at_ms: 0, side: 'engineer', revision, undoable: true, ...more }) as data.Entry
  test('all of it, the last first', () => {
    expect(takeable([one(5), one(7), one(6)])).toEqual([7, 6, 5])
    expect(takeable([])).toEqual([])
  })
  test('not what is said to the customer, nor what that stands on', () => {
    const asked = one(7, { kind: 'ticket.ask', undoable: false, from: 1, to: 2 })
    expect(takeable([one(5, { kind: 'ticket.accept', undoable: false, why_not: 'x', from: 0, to: 1 }), one(6), asked])).toEqual([6])
  })
  test('what only a change that is taken back before stands in the way of', () => {
    expect(takeable([one(5, { kind: 'ticket.assign', undoable: false, why_not: 'x', assignee_changed: true }), one(6, { kind: 'ticket.assign', assignee_changed: true })])).toEqual([6, 5])
  })
})

describe('what is shown before the server has said so', () => {
  test('lies over list and ticket alike, each change by itself, and goes as it came', () => {
    const read = row('n1', { tags: ['vip'] })
    const show = () => [laid(read), data.ticketQuery('n1').select?.(read) ?? read]
    const one = ahead(['n1', 'n2'], () => ({ assignee_name: 'chen' }))
    const two = ahead(['n1'], (t) => ({ tags: [...(t.tags ?? []), 'core'] }), true)
    for (const t of show()) expect([t.assignee_name, t.tags]).toEqual(['chen', ['vip', 'core']])
    expect([leaving('n1'), leaving('n2'), laid(row('n2')).assignee_name]).toEqual([true, false, 'chen'])
    one()
    for (const t of show()) expect([t.assignee_name, t.tags]).toEqual([undefined, ['vip', 'core']])
    two()
    for (const t of show()) expect(t).toBe(read) // nothing was written into what was read
    expect([leaving('n1'), data.ticketQuery('n1').select]).toEqual([false, undefined])
  })
  test('own changes of a ticket wait for each other and carry the version the one before has made, a refused one none', async () => {
    const sent: number[] = []
    let answer: (v: { version: number }) => void = () => undefined
    const first = inLine(row('n3'), (v) => (sent.push(v), new Promise<{ version: number }>((r) => (answer = r))))
    const second = inLine(row('n3'), (v) => (sent.push(v), Promise.reject(new Error('409'))))
    const third = inLine(row('n3'), (v) => (sent.push(v), Promise.resolve({ version: v + 1 })))
    second.catch(() => undefined)
    await Promise.resolve()
    await Promise.resolve()
    expect(sent).toEqual([1])
    answer({ version: 2 })
    await expect(first).resolves.toEqual({ version: 2 })
    await expect(second).rejects.toThrow('409')
    await expect(third).resolves.toEqual({ version: 3 })
    expect(sent).toEqual([1, 2, 2])
    await inLine(row('n3', { version: 9 }), (v) => (sent.push(v), Promise.resolve({ version: 10 })))
    expect(sent.at(-1)).toBe(9)
  })
})
