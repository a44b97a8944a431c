import { expect, test } from 'vitest'
import { tagLang, tagsFor } from './tags'

test('tags are shown in the words of the page, names in both, and all where none would be left', () => {
  const tags = ['ECS', '登录', 'log-in', 'SSH 登录', '403']
  expect(tagsFor(tags, 'en-us')).toEqual(['ECS', 'log-in', '403'])
  expect(tagsFor(tags, 'zh-cn')).toEqual(['ECS', '登录', 'SSH 登录', '403'])
  expect(tagsFor(['发票', '费用'], 'en-us')).toEqual(['发票', '费用'])
  expect(tagsFor(['invoice'], 'zh-cn')).toEqual(['invoice'])
  expect(tagsFor([], 'en-us')).toEqual([])
  expect([tagLang('发票', 'en-us'), tagLang('发票', 'zh-cn'), tagLang('ECS', 'en-us')]).toEqual(['zh-CN', undefined, undefined])
})
