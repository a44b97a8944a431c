// Every field of more than one line keeps what is written in it: a draft of the
// page's own (`keep`), or a `Held`. Whoever adds a field adds one of them, or a
// reason here.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const files = ['kit', 'login', 'console', 'desk', 'docs'].flatMap((d) => readdirSync(join(root, d), { recursive: true, encoding: 'utf8' }).map((f) => join(d, f))).filter((f) => f.endsWith('.svelte'))
const source = new Map(files.map((f) => [f, readFileSync(join(root, f), 'utf8')]))
const of = (f: string) => source.get(f) ?? ''

/** Kept by what another file holds: its name there. */
const elsewhere: Record<string, { file: string; says: string }> = {
  'console/submit/Words.svelte form': { file: 'console/submit/form.svelte.ts', says: 'text: this.text' },
}
/** Not kept, and why. */
const not: Record<string, string> = {
  'console/screens/Auth.svelte h': 'secrets: what an engineer may log in with',
  'desk/admin/delivery/Settings.svelte values': "headers and bodies of a provider's requests may hold its keys",
  'desk/admin/delivery/Settings.svelte typed': 'secrets of a provider',
}

/** From an opening bracket to its end; quotes and brackets inside count. */
function balanced(text: string, from: number, open: string, close: string): string {
  let depth = 0
  for (let i = from; i < text.length; i++) {
    if (text[i] === open) depth++
    else if (text[i] === close && --depth === 0) return text.slice(from, i + 1)
  }
  return text.slice(from)
}
/** A tag with its attributes; `=>` within braces does not end it. */
function tags(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`<${name}\\b`, 'g'))].map((m) => {
    let depth = 0
    for (let i = m.index; i < text.length; i++) {
      if (text[i] === '{') depth++
      else if (text[i] === '}') depth--
      else if (text[i] === '>' && depth === 0) return text.slice(m.index, i + 1)
    }
    return text.slice(m.index)
  })
}
/** What an attribute is bound to; a name alone is its own. */
function bound(tag: string, name: string): string {
  const at = new RegExp(`\\s(?:bind:)?${name}=\\{`).exec(tag)
  if (at !== null) return balanced(tag, at.index + at[0].length - 1, '{', '}').slice(1, -1)
  return new RegExp(`\\s(?:bind:${name}\\b|\\{${name}\\})`).test(tag) ? name : ''
}
const names = (code: string) => [...code.matchAll(/(?<![.\w$'"])[a-zA-Z_]\w*/g)].map((m) => m[0])
/** The names in a piece of code, and those that these stand for. */
function roots(text: string, code: string): Set<string> {
  const found = new Set<string>()
  const walk = (c: string) => {
    for (const n of names(c)) {
      if (found.has(n)) continue
      found.add(n)
      for (const m of text.matchAll(new RegExp(`\\{#each (.+?) as ${n}\\b`, 'g'))) walk(m[1] ?? '')
      for (const m of text.matchAll(new RegExp(`const ${n} = (.+)`, 'g'))) walk(m[1] ?? '')
    }
  }
  walk(code)
  return found
}

interface Editor {
  file: string
  code: string
}
/** The fields themselves, and the places that give their text to a part which holds one. */
function editors(): Editor[] {
  const all: Editor[] = []
  const seen = new Set<string>()
  const give = (file: string, prop: string) => {
    if (seen.has(`${file} ${prop}`)) return
    seen.add(`${file} ${prop}`)
    for (const [user, text] of source) {
      const as = new RegExp(`import (\\w+)[^\\n]* from '[^']*/${basename(file)}'`).exec(text)?.[1]
      if (as === undefined) continue
      // A text in two languages is of one line unless it says of how many.
      for (const t of tags(text, as)) if (basename(file) !== 'Both.svelte' || /\srows=\{/.test(t)) put(user, bound(t, prop))
    }
  }
  const put = (file: string, code: string) => {
    const text = of(file)
    const prop = [...roots(text, code)].find((n) => new RegExp(`\\b${n} = \\$bindable\\(`).test(text))
    if (prop !== undefined) give(file, prop)
    else all.push({ file, code })
  }
  for (const [file, text] of source) for (const t of tags(text, 'textarea')) put(file, bound(t, 'value'))
  return all
}

const kept = (text: string): string =>
  [...text.matchAll(/new Held(?:<[^(]*>)?\(|\bkeep(?:<[^(]*>)?\(/g)].map((m) => balanced(text, m.index + m[0].length - 1, '(', ')')).join('\n')

test('every field of more than one line keeps what is written, or says why not', () => {
  const all = editors()
  expect(all.length).toBeGreaterThan(25)
  const used = new Set<string>()
  const lost = all.filter(({ file, code }) => {
    const own = roots(of(file), kept(of(file)))
    const mine = [...roots(of(file), code)]
    const state = mine.filter((n) => new RegExp(`\\b${n}\\b[^\\n]*= \\$state|\\blet \\{[^}]*\\b${n}\\b`).test(of(file)) || n === 'h')
    if (state.some((n) => own.has(n))) return false
    const excuse = mine.map((n) => `${file} ${n}`).find((k) => not[k] !== undefined)
    if (excuse !== undefined) return void used.add(excuse)
    const other = mine.map((n) => `${file} ${n}`).find((k) => elsewhere[k] !== undefined)
    if (other === undefined) return true
    used.add(other)
    const { file: holder = '', says = '' } = elsewhere[other] ?? {}
    return !kept(readFileSync(join(root, holder), 'utf8')).includes(says)
  })
  expect(lost.map((e) => `${e.file}: ${e.code}`)).toEqual([])
  expect(Object.keys({ ...not, ...elsewhere }).filter((k) => !used.has(k)), 'no longer there').toEqual([])
})
test('no field is made of anything else', () => {
  for (const [file, text] of source) expect(/contenteditable/i.test(text), file).toBe(false)
})
test('secrets are in no draft', () => {
  for (const [file, text] of source) expect(/\b(password|secret|typed|code)\b/.test(kept(text)), file).toBe(false)
})
