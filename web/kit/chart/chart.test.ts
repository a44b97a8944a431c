import { describe, expect, test } from 'vitest'
import { csvOf, lines, scale } from './model'
import { periodsOf, rangeOf, weekOf } from './range'

describe('ranges', () => {
  const now = Date.parse('2026-03-01T12:00:00Z')
  test('without filters the last 30 days, by day; longer ones by week and month', () => {
    const of = (text: string) => rangeOf(new URLSearchParams(text), now)
    expect(of('')).toMatchObject({ span: 30, every: 'day', from: '2026-01-31' })
    expect(of('days=90')).toMatchObject({ span: 90, every: 'week' })
    expect(of('days=365')).toMatchObject({ every: 'month' })
    expect(of('days=12&every=month')).toMatchObject({ span: 30, every: 'month' })
    expect(of('from=2026-02-01&to=2026-02-03')).toMatchObject({ span: 0, from: '2026-02-01', to: '2026-02-03' })
    expect(of('from=2026-02-03&to=2026-02-01')).toMatchObject({ span: 30 }) // the wrong way round
  })
  test('every period once, in order, those of the ISO calendar', () => {
    const periods = (from: string, to: string, every: 'day' | 'week' | 'month') => periodsOf({ from, to, every, span: 0 })
    expect(periods('2026-02-27', '2026-03-01', 'day')).toEqual(['2026-02-27', '2026-02-28', '2026-03-01'])
    expect(periods('2026-12-27', '2027-01-04', 'week')).toEqual(['2026-W52', '2026-W53', '2027-W01'])
    expect(periods('2026-11-30', '2027-01-01', 'month')).toEqual(['2026-11', '2026-12', '2027-01'])
    expect(weekOf(Date.parse('2021-01-03'))).toBe('2020-W53')
  })
})

test('durations are counted in the unit of which there are at least three', () => {
  expect(scale(200_000).name).toBe('minute')
  expect(scale(100_000).name).toBe('second')
  expect(scale(4 * 86_400_000).name).toBe('day')
  expect(scale(0).name).toBe('second')
})

test('a table as CSV: quoted, and no formula', () => {
  const t = { columns: ['甲', 'b,c'], rows: [{ head: '=1+1', cells: [{ text: '"x"' }] }, { head: '-5', cells: [{ text: '@a' }] }] }
  expect(csvOf(t)).toBe('\ufeff"甲","b,c"\r\n"\'=1+1","""x"""\r\n"-5","\'@a"\r\n')
})

test('long names break at blanks and between Chinese characters', () => {
  expect(lines('Production system unavailable', 14)).toEqual(['Production', 'system', 'unavailable'])
  expect(lines('核心业务系统不可用', 8)).toEqual(['核心业务', '系统不可', '用'])
  expect(lines('short', 14)).toBe('short')
})
