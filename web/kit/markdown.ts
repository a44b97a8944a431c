// The subset of Markdown that messages use, as a tree. The page makes nodes of
// it, never HTML of strings.
import { placedOf, reference, type Placed } from './pictures'

export type Inline = { kind: 'text' | 'code' | 'strong'; text: string } | { kind: 'link'; text: string; href: string } | ({ kind: 'picture' } & Placed)
export type Block = { kind: 'p'; lines: Inline[][] } | { kind: 'code'; text: string } | { kind: 'list'; ordered: boolean; items: Inline[][] } | { kind: 'quote'; lines: Inline[][] }

const inline = new RegExp(/`([^`\n]+)`|\*\*([^*\n]+)\*\*|\[([^\]\n]{1,500})\]\((https?:\/\/[^\s)]+)\)|(https?:\/\/[^\s<>"'（）【】，。；！？、]+)/.source + `|${reference}`, 'g')

/** A link, or its words where the address is none. */
function link(text: string, href: string): Inline {
  try {
    if (/^https?:$/.test(new URL(href).protocol)) return { kind: 'link', text, href }
  } catch {
    // an address that leads nowhere
  }
  return { kind: 'text', text }
}

export function parseInline(text: string): Inline[] {
  const out: Inline[] = []
  let from = 0
  for (const m of text.matchAll(inline)) {
    if (m.index > from) out.push({ kind: 'text', text: text.slice(from, m.index) })
    from = m.index + m[0].length
    if (m[1] !== undefined) out.push({ kind: 'code', text: m[1] })
    else if (m[2] !== undefined) out.push({ kind: 'strong', text: m[2] })
    else if (m[3] !== undefined && m[4] !== undefined) out.push(link(m[3], m[4]))
    else if (m[7] !== undefined) out.push({ kind: 'picture', ...placedOf(m[6] ?? '', m[7], m[8], m[9]) })
    else {
      const href = m[0].replace(/[.,;:!?)\]]+$/, '')
      out.push(link(href, href))
      from = m.index + href.length
    }
  }
  if (from < text.length) out.push({ kind: 'text', text: text.slice(from) })
  return out
}

export function parse(text: string): Block[] {
  const out: Block[] = []
  let paragraph: Inline[][] = []
  const close = () => {
    if (paragraph.length > 0) out.push({ kind: 'p', lines: paragraph })
    paragraph = []
  }
  const lines = text.replace(/\r\n?/g, '\n').split('\n')
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? ''
    if (/^\s*```/.test(line)) {
      close()
      const code: string[] = []
      for (i++; i < lines.length && !/^\s*```/.test(lines[i] ?? ''); i++) code.push(lines[i] ?? '')
      out.push({ kind: 'code', text: code.join('\n') })
      continue
    }
    const item = /^\s*(?:([-*•])|(\d{1,3})[.)、])\s+(.*)$/.exec(line)
    if (item !== null) {
      close()
      const ordered = item[2] !== undefined
      const last = out.at(-1)
      const content = parseInline(item[3] ?? '')
      if (last?.kind === 'list' && last.ordered === ordered) last.items.push(content)
      else out.push({ kind: 'list', ordered, items: [content] })
      continue
    }
    const quote = /^>\s?(.*)$/.exec(line)
    if (quote !== null) {
      close()
      const last = out.at(-1)
      const content = parseInline(quote[1] ?? '')
      if (last?.kind === 'quote') last.lines.push(content)
      else out.push({ kind: 'quote', lines: [content] })
      continue
    }
    if (line.trim() === '') close()
    else paragraph.push(parseInline(line))
  }
  close()
  return out
}
