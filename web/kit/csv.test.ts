import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { read, write } from '../desk/admin/service/csv'
import { csvOf } from './chart/model'
import { cell, defuse } from './csv'

// The server's own corpus: both sides keep the same rule.
const go = readFileSync(join(import.meta.dirname, '../../internal/sheet/sheet_test.go'), 'utf8')
function corpus(name: string): string[] {
  const list = new RegExp(`^var ${name} = \\[\\]string\\{([^]*?)\\}\\n`, 'm').exec(go)?.[1] ?? ''
  const found = list.matchAll(/`([^`]*)`|("(?:[^"\\]|\\.)*")(?: \+ strings\.Repeat\("A", (\d+)\))?/g)
  return [...found].map(([, raw, quoted = '""', times]) => raw ?? (JSON.parse(quoted.replace(/\\x(..)/g, '\\u00$1').replace('\\v', '\\u000b')) as string) + 'A'.repeat(Number(times ?? 0)))
}
const hostile = corpus('hostile')
const harmless = corpus('harmless')
const byQuotes = (s: string) => s === '";=1' || s.startsWith('a"')

test('the corpus was read', () => {
  expect(hostile).toHaveLength(24)
  expect(hostile).toEqual(expect.arrayContaining(['\0=1', '＝1+1', '\u202e=1', '\u000b=1', `=${'A'.repeat(40000)}`, '";=1']))
  expect(harmless).toHaveLength(11)
})

test('no text of the corpus is a formula, and harmless texts stay as they are', () => {
  for (const s of hostile) {
    if (byQuotes(s)) expect(defuse(s)).toBe(s)
    else expect(defuse(s).charAt(0), JSON.stringify(s.slice(0, 40))).toBe("'")
    expect(cell(s), JSON.stringify(s.slice(0, 40))).toMatch(/^"(?:[^"]|"")*"$/)
  }
  for (const s of [...harmless, "it's", '２', 'ａ＝b']) expect(defuse(s)).toBe(s)
})

test('every sign, after every kind of blank', () => {
  for (const sign of '=+-@＝＋－＠﹢﹣﹦﹫−')
    for (const lead of ['', ' ', '\u3000', '\u2028', '\u00ad', '\u2060', '\u{e0001}', '\u200d \ufeff', '\x07', '\x1b', '\u0085']) expect(defuse(`${lead}${sign}x`).charAt(0), `${JSON.stringify(lead)}${sign}`).toBe("'")
  expect(defuse('a\0b\x9fc\ufffe')).toBe('abc')
  expect(defuse('\ud800x')).toBe('\ufffdx')
})

test('both tables made here use it', () => {
  for (const s of hostile.filter((x) => !byQuotes(x))) {
    expect(write([{ kind: 'k', id: s, field: 'f', zh: '', en: '' }]).split('"k",')[1]?.slice(0, 2)).toBe('"\'')
    const chart = csvOf({ columns: ['a'], rows: [{ head: s, cells: [{ text: s }] }] })
    if (s !== '-1') expect(chart.split('\r\n"')[1]?.charAt(0), JSON.stringify(s.slice(0, 40))).toBe("'")
  }
  for (const s of [...hostile, ...harmless, "''x", "'"]) {
    const row = { kind: 'k', id: 'i', field: 'f', zh: s, en: s }
    const got = read(write([row]))?.[0]?.zh ?? ''
    const want = s.replace(/[\0\v]/g, '').replaceAll('\r\n', '\n')
    expect(got, JSON.stringify(s.slice(0, 40))).toBe(want)
  }
})
