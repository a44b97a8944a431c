import { describe, expect, test } from 'vitest'
import { Failure } from '../../kit/errors'
import { difference, folded } from './kit/diff'
import { fieldOf } from './kit/field'
import { groups, placeOf, places } from './places'
import { due, minutes } from './service/clock'
import type { Calendar, Tree } from './service/config.svelte'
import { cells, edits, read, rows, write } from './service/csv'

test('places: each once, in both languages, who changes also sees', () => {
  expect(new Set(places.map((p) => p.id)).size).toBe(places.length)
  for (const p of places) {
    for (const text of [...p.name, ...p.about]) expect(text.trim(), p.id).not.toBe('')
    expect(p.name[1] + p.about[1], p.id).not.toMatch(/\p{Script=Han}/u)
    expect(groups.some((g) => g.id === p.group), p.id).toBe(true)
    expect(p.change.filter((r) => !p.see.includes(r)), p.id).toEqual([])
  }
  expect(placeOf('/admin/catalog/a%2Fb/c')).toMatchObject({ id: 'catalog', path: ['a/b', 'c'] })
  expect(placeOf('/admin')).toMatchObject({ id: '', path: [], place: undefined })
})

test('the field of a refusal: at the end, named first, or of those the form shows', () => {
  const f = (message: string) => new Failure('OSM.01010001', 400, message)
  expect(fieldOf(f('不能为空（参数：actions[0].text）'))).toBe('actions[0].text')
  expect(fieldOf(f('must not be blank (field: name.zh)'))).toBe('name.zh')
  expect(fieldOf(f('参数 text 缺少必需的占位符 {number}'), new Set(['text']))).toBe('text')
  expect(fieldOf(f('缺少必填参数 name'), new Set(['name']))).toBe('name')
  expect(fieldOf(f('if.all[0].value must be a number'), new Set(['if.all[0].value']))).toBe('if.all[0].value')
  expect(fieldOf(f('别的错误'))).toBe('')
})

describe('differences', () => {
  test('are the shortest way, line by line', () => {
    expect(difference('a\nb\nc\n', 'a\nx\nc\nd\n')).toEqual([
      { kind: 'same', text: 'a' },
      { kind: 'removed', text: 'b' },
      { kind: 'added', text: 'x' },
      { kind: 'same', text: 'c' },
      { kind: 'added', text: 'd' },
    ])
    expect(difference('', 'a')).toEqual([{ kind: 'added', text: 'a' }])
    expect(difference('a\n', 'a')).toEqual([{ kind: 'same', text: 'a' }])
  })
  test('fold what is equal, and lose no line', () => {
    const before = Array.from({ length: 30 }, (_, i) => String(i)).join('\n')
    const pieces = folded(difference(before, before.replace('15', 'x')))
    expect(pieces.reduce((n, p) => n + p.hidden + p.lines.length, 0)).toBe(31)
    expect(pieces.filter((p) => p.hidden > 0).map((p) => p.hidden)).toEqual([12, 11])
  })
})

describe('when a promise made now is due', () => {
  const work = ['09:00-12:00', '13:00-18:00']
  const c: Calendar = { id: 'c', name: {}, zone: 'GMT+8', hours: { monday: work, tuesday: work, wednesday: work, thursday: work, friday: work }, holidays: [{ from: '2026-10-01', to: '2026-10-07' }], workdays: [{ date: '2026-10-10' }] }
  const at = (text: string) => Date.parse(`${text}+08:00`)
  test('only working time counts, with breaks and weekends', () => {
    expect(due(c, '30m', at('2026-11-25T10:00:00'))).toBe(at('2026-11-25T10:30:00'))
    expect(due(c, '3h', at('2026-11-25T11:00:00'))).toBe(at('2026-11-25T15:00:00'))
    expect(due(c, '2h', at('2026-11-27T17:00:00'))).toBe(at('2026-11-30T10:00:00')) // over a weekend
    expect(minutes('2d', c)).toBe(960)
    expect(minutes('soon', c)).toBeUndefined()
  })
  test('days off do not count, extra working days do', () => {
    expect(due(c, '1h', at('2026-09-30T17:30:00'))).toBe(at('2026-10-08T09:30:00'))
    expect(due(c, '1h', at('2026-10-09T17:30:00'))).toBe(at('2026-10-10T09:30:00'))
  })
  test('in a zone with summer time', () => {
    const paris: Calendar = { ...c, zone: 'Europe/Paris', holidays: [], workdays: [], hours: { ...c.hours, sunday: ['00:00-24:00'] } }
    // The clocks go forward on 29 March 2026 at 02:00.
    expect(due(paris, '2h', Date.parse('2026-03-29T00:30:00+01:00'))).toBe(Date.parse('2026-03-29T03:30:00+02:00'))
  })
})

describe('the table of texts', () => {
  const tree: Tree = {
    files: {},
    values: { 'catalog/p.yaml': { products: [{ id: 'p', sub_type: '0', name: { zh: '产品', en: '=SUM(1)' }, problem_types: [{ id: 't', name: { zh: '类型' }, case_type: '0', templates: [{ id: 'x', name: { zh: '模' }, content: { zh: 'a,"b"\nc' } }] }] }] } },
  }
  test('goes out and comes back the same', () => {
    const all = rows(tree)
    expect(all).toHaveLength(4)
    const text = write(all)
    expect(text).toContain("'=SUM(1)") // no formula for a table program
    expect(read(text)).toEqual(all)
    expect(edits(tree, read(text) ?? [])).toEqual({ edits: [], changed: 0, unknown: [] })
  })
  test('changes only what differs, and names what belongs to nothing', () => {
    const table = [...rows(tree).map((r) => (r.id === 't' ? { ...r, en: 'Type' } : r)), { kind: 'product', id: 'gone', field: 'name', zh: '', en: '' }]
    const got = edits(tree, table)
    expect(got.changed).toBe(1)
    expect(got.unknown).toHaveLength(1)
    expect(got.edits).toHaveLength(1)
    expect(JSON.stringify(got.edits[0]?.value)).toContain('"name":{"zh":"类型","en":"Type"}')
  })
  test('is refused when it is none', () => {
    expect(read('a,b\n1,2\n')).toBeUndefined()
    expect(cells('a,"b')).toBeUndefined()
    expect(cells('x;y\r\n1;"2;3"')).toEqual([['x', 'y'], ['1', '2;3']])
  })
})
