import { expect, test } from 'vitest'
import { tagLang, tagsFor } from './tags'

test('Chinese pages show every tag, names in lower case too; English pages those without Chinese, and all where none would be left', () => {
  const tags = ['ECS', '登录', 'log-in', 'SSH 登录', '403']
  expect(tagsFor(tags, 'en-us')).toEqual(['ECS', 'log-in', '403'])
  expect(tagsFor(tags, 'zh-cn')).toEqual(tags)
  expect(tagsFor(['nginx', '网关', 'redis', 'linux'], 'zh-cn')).toEqual(['nginx', '网关', 'redis', 'linux'])
  expect(tagsFor(['nginx', '网关', 'redis', 'linux'], 'en-us')).toEqual(['nginx', 'redis', 'linux'])
  expect(tagsFor(['发票', '费用'], 'en-us')).toEqual(['发票', '费用'])
  expect(tagsFor(['invoice'], 'zh-cn')).toEqual(['invoice'])
  expect(tagsFor([], 'en-us')).toEqual([])
  for (const language of ['zh-cn', 'en-us'] as const) expect(tagsFor(['MySQL', 'mysql', 'ＭｙＳＱＬ', 'Redis'], language)).toEqual(['MySQL', 'Redis'])
  expect([tagLang('发票', 'en-us'), tagLang('发票', 'zh-cn'), tagLang('ECS', 'en-us')]).toEqual(['zh-CN', undefined, undefined])
})
