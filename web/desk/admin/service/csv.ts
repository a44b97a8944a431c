// The catalogue's texts as a table for translators: one row for each text, both
// languages side by side, and back again.
import { cell, defuse } from '../../../kit/csv'
import { entries, lean, type Both, type Edit, type Param, type Product, type Severity, type Tree } from './config.svelte'

export interface Row {
  kind: string
  id: string
  field: string
  zh: string
  en: string
}
const head = ['kind', 'id', 'field', 'zh', 'en'] as const

/** RFC 4180; texts that a table program would run as a formula get an apostrophe before them. */
export function write(rows: Row[]): string {
  // Also texts with an apostrophe of their own get one, so that read takes off ours only.
  return `\uFEFF${[head.join(','), ...rows.map((r) => head.map((h) => cell(r[h].startsWith("'") ? `'${r[h]}` : r[h])).join(','))].join('\r\n')}\r\n`
}

/** The cells of a CSV text; undefined when a quote is left open. */
export function cells(text: string): string[][] | undefined {
  const rows: string[][] = []
  let row: string[] = []
  let cell = ''
  let quoted = false
  const t = text.replace(/^\uFEFF/, '')
  const sep = (t.split('\n', 1)[0] ?? '').includes(';') && !(t.split('\n', 1)[0] ?? '').includes(',') ? ';' : ','
  for (let i = 0; i < t.length; i++) {
    const c = t[i] ?? ''
    if (quoted) {
      if (c === '"' && t[i + 1] === '"') {
        cell += '"'
        i++
      } else if (c === '"') quoted = false
      else cell += c
    } else if (c === '"' && cell === '') quoted = true
    else if (c === sep) {
      row.push(cell)
      cell = ''
    } else if (c === '\n' || c === '\r') {
      if (c === '\r' && t[i + 1] === '\n') i++
      rows.push([...row, cell])
      row = []
      cell = ''
    } else cell += c
  }
  if (quoted) return undefined
  if (cell !== '' || row.length > 0) rows.push([...row, cell])
  return rows.filter((r) => r.some((c) => c.trim() !== ''))
}

const plain = (s: string): string => (s.startsWith("''") || (s.startsWith("'") && defuse(s.slice(1)) === s) ? s.slice(1) : s)

/** The rows of a table; undefined when it has not the columns. */
export function read(text: string): Row[] | undefined {
  const all = cells(text)
  const names = all?.[0]?.map((c) => c.trim().toLowerCase())
  if (all === undefined || names === undefined || head.some((h) => !names.includes(h))) return undefined
  return all.slice(1).map((r) => Object.fromEntries(head.map((h) => [h, plain(r[names.indexOf(h)] ?? '').replaceAll('\r\n', '\n')])) as unknown as Row)
}

type Found = { row: Row; set: (b: Both) => void }

// Every text with two languages of one list's entry.
function textsOf(kind: string, id: string, value: object, fields: string[], out: Found[]): void {
  const v = value as Record<string, Both | undefined>
  for (const field of fields) {
    const b = v[field]
    if (b === undefined && field !== 'name') continue
    out.push({ row: { kind, id, field, zh: b?.zh ?? '', en: b?.en ?? '' }, set: (x) => (v[field] = x) })
  }
}

interface Entry {
  edit: Edit
  texts: Found[]
}
function all(tree: Tree): Entry[] {
  const out: Entry[] = []
  const add = <T extends object>(under: string, texts: (v: T, to: Found[]) => void) => {
    for (const e of entries<T>(tree, under)) {
      const value = structuredClone(e.value)
      const found: Found[] = []
      texts(value, found)
      out.push({ edit: { file: e.file, under, index: e.index, value }, texts: found })
    }
  }
  add<{ id: string }>('sub_types', (v, to) => textsOf('category', v.id, v, ['name'], to))
  add<Product>('products', (v, to) => {
    textsOf('product', v.id, v, ['name', 'desc'], to)
    for (const p of v.problem_types ?? []) {
      textsOf('problem_type', p.id, p, ['name'], to)
      for (const t of p.templates ?? []) textsOf('template', t.id, t, ['name', 'content'], to)
    }
  })
  add<Param>('params', (v, to) => {
    textsOf('param', v.key, v, ['name', 'desc', 'tips'], to)
    for (const i of v.items ?? []) textsOf('param_item', `${v.key}/${i.value}`, i, ['name'], to)
  })
  add<Severity>('severities', (v, to) => textsOf('severity', v.id, v, ['name', 'desc'], to))
  add<{ id: string }>('regions', (v, to) => textsOf('region', v.id, v, ['name'], to))
  return out
}

export const rows = (tree: Tree): Row[] => all(tree).flatMap((e) => e.texts.map((t) => t.row))

/** The edits that bring a table's texts in, how many texts differ, and the rows that belong to nothing. */
export function edits(tree: Tree, table: Row[]): { edits: Edit[]; changed: number; unknown: Row[] } {
  const key = (r: Row) => `${r.kind}\n${r.id}\n${r.field}`
  const wanted = new Map(table.map((r) => [key(r), r]))
  const made: Edit[] = []
  let changed = 0
  for (const e of all(tree)) {
    let touched = false
    for (const t of e.texts) {
      const w = wanted.get(key(t.row))
      wanted.delete(key(t.row))
      if (w === undefined || (w.zh === t.row.zh && w.en === t.row.en)) continue
      t.set(lean({ zh: w.zh, en: w.en }))
      touched = true
      changed++
    }
    if (touched) made.push(e.edit)
  }
  return { edits: made, changed, unknown: [...wanted.values()] }
}
