import { describe, expect, test } from 'vitest'
import { and } from './and'
import { begins, instant, today } from '../kit/zone'
import { contrast, pale } from './color'

describe('the instant a day begins', () => {
  test.each([
    ['2026-11-25', 'Asia/Shanghai', '2026-11-24T16:00:00.000Z'],
    ['2026-11-25', 'UTC', '2026-11-25T00:00:00.000Z'],
    ['2026-03-08', 'America/New_York', '2026-03-08T05:00:00.000Z'], // the day of the change
    ['2026-03-09', 'America/New_York', '2026-03-09T04:00:00.000Z'],
    ['2026-11-02', 'America/New_York', '2026-11-02T05:00:00.000Z'],
    ['2026-07-01', 'Asia/Kathmandu', '2026-06-30T18:15:00.000Z'],
  ])('%s in %s', (day, zone, want) => expect(begins(day, zone).toISOString()).toBe(want))
})

test('colours that can not be told from the ground', () => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21)
  expect(contrast('#767676', '#ffffff')).toBeCloseTo(4.54, 2)
  expect(pale('#ffffff')).toBe('light')
  expect(pale('#fff8dc')).toBe('light')
  expect(pale('#1a2025')).toBe('dark')
  for (const c of ['#0b6658', '#22509a', '#944800', '#b3261e', '#6b3fa0', '#3d5a3a', '#566059', '#8a6d00']) expect(pale(c), c).toBeUndefined() // those that the page offers
})

test('names in a row: a space between Chinese and Latin, none beside Chinese', () => {
  expect(and(['lihua', 'wangwei'], 'zh-CN')).toBe('lihua 和 wangwei')
  expect(and(['lihua', 'wangwei', 'zhao7'], 'zh-CN')).toBe('lihua、wangwei 和 zhao7')
  expect(and(['小陈', '小王'], 'zh-CN')).toBe('小陈和小王')
  expect(and(['小陈', 'emma'], 'zh-CN')).toBe('小陈和 emma')
  expect(and(['lihua', 'wangwei'], 'en-GB')).toBe('lihua and wangwei')
  expect(and(['lihua'], 'zh-CN')).toBe('lihua')
})

// New York: clocks went forward on 2026-03-08 at 2:00 and back on 2026-11-01.
test('a field for a time is of the reader\'s zone, not of the browser\'s', () => {
  expect(instant('2026-11-28T09:00', 'Asia/Shanghai').toISOString()).toBe('2026-11-28T01:00:00.000Z')
  expect(instant('2026-11-28T09:00:30', 'America/New_York').toISOString()).toBe('2026-11-28T14:00:30.000Z')
  expect(instant('2026-07-28T09:00', 'America/New_York').toISOString()).toBe('2026-07-28T13:00:00.000Z')
  expect(instant('2026-03-08T02:30', 'America/New_York').toISOString()).toBe('2026-03-08T06:30:00.000Z')
  expect(Number.isNaN(instant('').getTime())).toBe(true)
  expect(today(Date.UTC(2026, 10, 27, 17), 'Asia/Shanghai')).toBe('2026-11-28')
  expect(begins('2026-10-31', 'America/New_York', 1, 9).toISOString()).toBe('2026-11-01T14:00:00.000Z')
})
