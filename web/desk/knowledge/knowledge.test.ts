import { describe, expect, test } from 'vitest'
import { bodyOf, draftOf, folded, isSlug, same, slugOf, tagsOf } from './words'
import { crc32, zip } from './zip'

test('names for links: what Latin there is', () => {
  expect(slugOf('Cannot log in (SSH)!')).toBe('cannot-log-in-ssh')
  expect(slugOf('重置密码')).toBe('')
  expect(isSlug('a-b-2')).toBe(true)
  for (const bad of ['', 'A', '-a', 'a-', 'a--b', 'a b', 'x'.repeat(81)]) expect(isSlug(bad), bad).toBe(false)
})

test('what is written against what is there', () => {
  const d = draftOf()
  d.zh.title = '标题'
  d.tags = 'a，b, a'
  expect(tagsOf(d.tags)).toEqual(['a', 'b'])
  expect(bodyOf(d)).toMatchObject({ zh: { title: '标题' }, en: undefined, tags: ['a', 'b'], note: undefined })
  expect(same(d, { ...d, tags: 'a, b', note: 'n', revision: 9 })).toBe(true)
  expect(same(d, { ...d, visibility: 'customers' })).toBe(false)
})

test('a difference shows what changed and folds the rest', () => {
  const l = (sign: '-' | '+' | ' ', text: string) => ({ sign, text })
  const same = (n: number, from = 0) => Array.from({ length: n }, (_, i) => l(' ', String(i + from)))
  expect(folded([...same(5), l('-', 'x'), l('+', 'y'), ...same(4, 5)])).toEqual([3, l(' ', '3'), l(' ', '4'), l('-', 'x'), l('+', 'y'), l(' ', '5'), l(' ', '6'), 2])
  expect(folded(same(4))).toEqual([4])
})

describe('zip', () => {
  test('the checksum of the format', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926)
    expect(crc32(new Uint8Array())).toBe(0)
  })
  test('every file once, in the body and in the directory, at the place that is told', async () => {
    const files = { 'a.zh-cn.md': '正文\n', 'b.md': '' }
    const bytes = new Uint8Array(await zip(files).arrayBuffer())
    const view = new DataView(bytes.buffer)
    const text = (from: number, n: number) => new TextDecoder().decode(bytes.slice(from, from + n))
    const end = bytes.length - 22
    expect(view.getUint32(end, true)).toBe(0x06054b50)
    expect(view.getUint16(end + 10, true)).toBe(2)
    let at = view.getUint32(end + 16, true)
    expect(at + view.getUint32(end + 12, true)).toBe(end)
    for (const [name, body] of Object.entries(files)) {
      expect(view.getUint32(at, true)).toBe(0x02014b50)
      const [size, n, local] = [view.getUint32(at + 24, true), view.getUint16(at + 28, true), view.getUint32(at + 42, true)]
      expect(text(at + 46, n)).toBe(name)
      expect(view.getUint32(local, true)).toBe(0x04034b50)
      expect(text(local + 30 + n, size)).toBe(body)
      expect(view.getUint32(at + 16, true)).toBe(crc32(new TextEncoder().encode(body)))
      at += 46 + n
    }
  })
})
