import { expect, test } from 'vitest'
import { withSpan } from './spans'

test('durations of the settings are told in words', () => {
  const all = { '72h': '72小时 (72h)', '1h30m': '1小时 30分钟 (1h30m)', '5s': '5秒钟 (5s)', '': '', '127.0.0.1:8080': '127.0.0.1:8080', '10': '10', 'ms': 'ms', '-': '-' }
  for (const [value, want] of Object.entries(all)) expect(withSpan(value, 'zh-CN').replace('秒钟', '秒')).toBe(want.replace('秒钟', '秒'))
  expect(withSpan('-1h', 'en-GB')).toBe('-1 hour (-1h)')
})
