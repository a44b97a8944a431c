import { expect, test } from 'vitest'
import { levelled, type Node_ } from './prose'

test('headings begin below the page\'s own and leave no level out', () => {
  const n = (tag: string, ...children: Node_[]): Node_ => ({ tag, text: '', attributes: {}, children })
  const tags = (list: Node_[]): string => list.map((x) => `${x.tag}${x.children.length > 0 ? `(${tags(x.children)})` : ''}`).join(' ')
  expect(tags(levelled([n('h2'), n('p'), n('h4'), n('blockquote', n('h2'))], 2))).toBe('h2 p h3 blockquote(h2)')
  expect(tags(levelled([n('h1'), n('h3'), n('h6')], 3))).toBe('h3 h4 h5')
  expect(tags(levelled([n('p')], 2))).toBe('p')
})
