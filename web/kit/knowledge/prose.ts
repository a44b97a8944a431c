// Articles come as HTML that the server has made safe. It never becomes markup
// again: it is read into a tree of the elements below, and the page makes nodes
// of that; what is not in the list is its text only.

export interface Node_ {
  tag: string // '' = text
  text: string
  attributes: Record<string, string>
  children: Node_[]
}

const known = new Set('p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong del table thead tbody tr th td a'.split(' '))
const never = new Set(['script', 'style', 'template', 'noscript', 'iframe', 'object', 'svg', 'math', 'title'])

/** A link that leads to a page or to a mail. */
function linkOf(href: string): string {
  try {
    return ['http:', 'https:', 'mailto:'].includes(new URL(href).protocol) ? href : ''
  } catch {
    return ''
  }
}

function attributesOf(e: Element, tag: string): Record<string, string> {
  const of = (name: string) => e.getAttribute(name) ?? ''
  if (tag === 'a') {
    const href = linkOf(of('href'))
    return href === '' ? {} : { href, target: '_blank', rel: 'nofollow noreferrer noopener' }
  }
  if (tag === 'ol' && /^\d{1,6}$/.test(of('start'))) return { start: of('start') }
  if ((tag === 'th' || tag === 'td') && /^(center|right)$/.test(of('align'))) return { 'data-align': of('align') }
  return {}
}

function read(from: Node, depth: number): Node_[] {
  const out: Node_[] = []
  for (const n of from.childNodes) {
    if (n.nodeType === Node.TEXT_NODE) {
      const text = n.textContent ?? ''
      // Line ends between blocks are no text.
      if (text.trim() !== '' || !/\n/.test(text)) out.push({ tag: '', text, attributes: {}, children: [] })
      continue
    }
    if (!(n instanceof Element) || depth > 60) continue
    const name = n.tagName.toLowerCase()
    if (never.has(name)) continue
    const children = read(n, depth + 1)
    if (!known.has(name)) {
      out.push(...children)
      continue
    }
    if (name === 'pre') out.push({ tag: name, text: n.textContent ?? '', attributes: {}, children: [] })
    else out.push({ tag: name, text: '', attributes: attributesOf(n, name), children })
  }
  return out
}

/** Gives the headings that there are the levels from `top` on, none left out. */
export function levelled(tree: Node_[], top: number): Node_[] {
  const levels = new Set<string>()
  const look = (list: Node_[]) => list.forEach((n) => (/^h[1-6]$/.test(n.tag) ? levels.add(n.tag) : look(n.children)))
  look(tree)
  const order = [...levels].sort()
  const change = (list: Node_[]): Node_[] => list.map((n) => ({ ...n, tag: levels.has(n.tag) ? `h${Math.min(6, top + order.indexOf(n.tag))}` : n.tag, children: change(n.children) }))
  return change(tree)
}

/**
 * The tree of an article's HTML, its headings below the page's own: `top` is the
 * level of the first. Scripts in it do not run and nothing of it is loaded.
 */
export function readProse(html: string, top: number): Node_[] {
  return levelled(read(new DOMParser().parseFromString(html, 'text/html').body, 0), top)
}
