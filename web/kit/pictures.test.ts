import { describe, expect, test } from 'vitest'
import { parse, parseInline, type Inline } from './markdown'
import { bare, idsIn, Pasted, placeOf } from './pictures'
import { plain } from './text'

const pictures = (text: string) => parseInline(text).filter((p): p is Extract<Inline, { kind: 'picture' }> => p.kind === 'picture')

describe('a picture in a text', () => {
  test('has a file of the ticket, a name and a size', () => {
    expect(parseInline('see ![a b.png](attachment:0f3c-1 "1280x720") **here**')).toEqual([
      { kind: 'text', text: 'see ' },
      { kind: 'picture', id: '0f3c-1', name: 'a b.png', width: 1280, height: 720 },
      { kind: 'text', text: ' ' },
      { kind: 'strong', text: 'here' },
    ])
    expect(pictures('![](attachment:x)')).toEqual([{ kind: 'picture', id: 'x', name: '', width: 0, height: 0 }])
    expect(parse('- ![a](attachment:1)\n\n> ![b](attachment:2)').map((b) => b.kind)).toEqual(['list', 'quote'])
  })

  test('names nothing but a file: no address, no path, no markup', () => {
    for (const hostile of [
      '![x](https://evil.example/a.png)',
      '![x](//evil.example/a.png)',
      '![x](data:image/svg+xml;base64,PHN2Zz4=)',
      '![x](javascript:alert(1))',
      '![x](attachment:../../v2/servicerequest/cases)',
      '![x](attachment:a/b)',
      '![x](attachment:a?group_id=1)',
      '![x](attachment:a%2F..)',
      '![x](attachment:a#b)',
      '![x](attachment:)',
      `![x](attachment:${'a'.repeat(65)})`,
      '![x](attachment:a "1x1" onerror=alert(1))',
      '![x](attachment:a "1x1\' style=")',
      '![x](attachment:a "100000x1")',
      '![x\ny](attachment:a)',
      '!\\[x](attachment:a)',
      '![x] (attachment:a)',
      '`![x](attachment:a)`',
      '![x](ATTACHMENT:a)',
    ])
      expect(pictures(hostile), hostile).toEqual([])
    expect(parse('```\n![x](attachment:a)\n```')).toEqual([{ kind: 'code', text: '![x](attachment:a)' }])
    // A name is text, whatever it says.
    expect(pictures('![<img src=x onerror=alert(1)>](attachment:a)')[0]?.name).toBe('<img src=x onerror=alert(1)>')
    expect(pictures('![javascript:alert(1)](attachment:a)')[0]?.id).toBe('a')
  })

  test('a size that is none leaves the place its own', () => {
    for (const size of ['0x0', '0x9', '9x0', '99999x1', '1x99999']) expect(pictures(`![x](attachment:a "${size}")`)[0], size).toMatchObject({ width: 0, height: 0 })
    expect(pictures('![x](attachment:a "400x20")')[0]).toMatchObject({ width: 400, height: 20 })
  })

  test('many of them are read in time that grows with the text', () => {
    const began = performance.now()
    expect(pictures('![a](attachment:b) '.repeat(500)).length).toBe(500)
    for (const hard of ['!['.repeat(20_000), `![${'['.repeat(20_000)}`, '![a](attachment:'.repeat(3000), `![a](attachment:b "${'1'.repeat(20_000)}`]) expect(pictures(hard)).toEqual([])
    expect(performance.now() - began).toBeLessThan(2000)
  })

  test('in one line it is its name; without its file it is gone', () => {
    expect(plain('a ![b.png](attachment:c "1x2") d')).toBe('a [b.png] d')
    expect(plain('服务器 **无法登录** - 第一步 `ssh root@**`\n第二行')).toBe('服务器 无法登录 - 第一步 ssh root@**')
    expect(plain('\n![b.png](attachment:c)\n```sh\n- 看 [文档](https://e.example/a) 再 **试**\n```')).toBe('看 文档 再 试')
    expect(plain('![b.png](attachment:c)\n'), 'nothing but a picture').toBe('[b.png]')
    expect(plain('<b>a</b> 3 * 4 ** 5 #1 List<String> [x]')).toBe('<b>a</b> 3 * 4 ** 5 #1 List<String> [x]')
    expect(plain('![x](https://e.example/a.png)')).toBe('![x](https://e.example/a.png)')
    expect(bare('a\n![b](attachment:c)\n![d](attachment:e)', (id) => id === 'e')).toBe('a\n\n![d](attachment:e)')
    expect(bare('![b](attachment:c)\n')).toBe('')
    expect([...idsIn('![a](attachment:1) ![b](attachment:1) ![c](attachment:2)')]).toEqual(['1', '2'])
    expect(placeOf('a](attachment:z)[\nb', 'c', '3x4')).toBe('![a(attachment:z)b](attachment:c "3x4")')
    expect(idsIn(placeOf('a](attachment:z) ![b', 'c'))).toEqual(new Set(['c']))
  })
})

test('a pasted picture gets its file’s id when it is there, and goes with it', () => {
  Object.assign(globalThis, { Image: class {}, HTMLTextAreaElement: class {} })
  const written: string[] = []
  const g = globalThis as { document?: unknown }
  g.document = { execCommand: (_: string, __: boolean, text: string) => written.push(text) > 0 }
  const upload = (key: number, type: string) => ({ key, name: `${key}.png`, size: 1, type, percent: 0, state: 'sending' as const, id: '', preview: 'blob:x' })
  const up = { add: () => [upload(1, 'image/png'), upload(2, 'image/svg+xml')] }
  const p = new Pasted()
  const event = (files: unknown[]) => ({ clipboardData: { files }, preventDefault: () => undefined, currentTarget: { focus: () => undefined, value: 'before behind', selectionStart: 7 } })
  expect(p.take(event([]) as never, up as never)).toBe(false)
  expect(p.take(event([{}]) as never, up as never)).toBe(true)
  expect(written).toEqual(['\n![1.png](attachment:wait-1)\n'])
  const text = `before ${written[0]?.trim()} behind`
  expect(p.follow(text, [upload(1, 'image/png')])).toBe(text)
  const done = p.follow(text, [{ ...upload(1, 'image/png'), state: 'done', id: 'F1' }])
  expect(done).toBe('before ![1.png](attachment:F1) behind')
  expect(p.follow(done, [{ ...upload(1, 'image/png'), state: 'done', id: 'F1' }])).toBe(done)
  expect(p.follow(done, [])).toBe('before  behind')
  expect(p.follow(done, [])).toBe(done) // once
  delete g.document
})
