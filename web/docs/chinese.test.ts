// The Chinese texts of the contracts: every text has one, none is stale, each
// says the same names and values as the English one.
import { describe, expect, test } from 'vitest'
import { chineseFile, contracts, dictionary, flat, mapTexts, pairs } from './build/chinese'
import { contract, localized } from './build/contracts'
import type { ContractId } from './build/types'

/** All that the pages show of a contract in words: text to where it stands. */
function texts(id: ContractId): Map<string, string> {
  const { info, operations, schemas } = contract(id)
  const out = new Map<string, string>()
  const add = (text: string, where: string) => {
    if (!out.has(flat(text))) out.set(flat(text), where)
    return text
  }
  if (info.description !== '') add(info.description, 'info')
  for (const g of info.groups) {
    add(g.label, `group ${g.name}`)
    if (g.description !== '') add(g.description, `group ${g.name}`)
  }
  mapTexts(operations, add, 'operations')
  mapTexts(schemas, add, 'schemas')
  return out
}
const all = new Map(contracts.map((id) => [id, texts(id)] as const))
const words = dictionary()
const han = /\p{Script=Han}/u

describe('Chinese texts of the contracts', () => {
  test.each(contracts)('%s: every summary, group, description, parameter, answer and field has one', (id) => {
    const missing = [...(all.get(id) ?? [])].filter(([text]) => !words.has(text)).map(([text, where]) => `${where}: ${text}`)
    expect(missing, `no line in ${chineseFile(id)}`).toEqual([])
    const { info, operations } = localized(id, 'zh-cn')
    for (const g of info.groups) {
      expect(g.label).toMatch(han)
      for (const o of g.operations) {
        expect(o.summary, o.id).toMatch(han)
        expect(o.english, o.id).not.toMatch(han)
        expect(operations[o.id]?.summary, o.id).toBe(o.summary)
      }
    }
    // Its fragments do not depend on the language.
    expect(info.groups.map((g) => g.name)).toEqual(localized(id, 'en-us').info.groups.map((g) => g.name))
  })
  test.each(contracts)('%s: no line is stale, none stands twice, all are in Chinese', (id) => {
    const shown = new Set([...all.values()].flatMap((m) => [...m.keys()]))
    const stale = pairs(id).filter(([english]) => !shown.has(english))
    expect(stale.map(([english]) => english), `no contract says this any more: ${chineseFile(id)}`).toEqual([])
    expect(pairs(id).filter(([, chinese]) => !han.test(chinese))).toEqual([])
  })
  test('none stands twice', () => {
    const list = contracts.flatMap(pairs).map(([english]) => english)
    expect(list.filter((e, i) => list.indexOf(e) !== i)).toEqual([])
  })
  test('what is code in English is code in Chinese, codes and paths too', () => {
    const code = (s: string) => new Set([...s.matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? ''))
    const marks = (s: string) => new Set(s.match(/OSM\.\d{8}|\b(?:[a-z]+_)+[a-z]+\b|\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b|\/(?:v\d|desk|web|login|notify)[\w/.?=]*/g) ?? [])
    const wrong: string[] = []
    for (const [english, chinese] of contracts.flatMap(pairs)) {
      for (const c of code(english)) if (!code(chinese).has(c)) wrong.push(`\`${c}\`: ${english}`)
      for (const c of code(chinese)) if (!code(english).has(c)) wrong.push(`\`${c}\`: ${chinese}`)
      for (const m of marks(english)) if (!chinese.includes(m.replace(/[.]$/, ''))) wrong.push(`${m}: ${english}`)
    }
    expect(wrong).toEqual([])
  })
  test('figures are the same', () => {
    // Those in digits; Chinese writes small ones, and sizes of years and words, in characters.
    const digits = (s: string) => [...s.matchAll(/(?<![\w.])\d[\d,]*(?:\.\d+)?/g)].map((m) => m[0].replace(/,+$/, '')).filter((n) => n !== '1970' && n !== '1' && n !== '01')
    const wrong = contracts.flatMap(pairs).filter(([english, chinese]) => digits(english).some((n) => !chinese.includes(n)))
    expect(wrong).toEqual([])
  })
  test('Chinese punctuation, and as many paragraphs', () => {
    const english = new Map(contracts.flatMap((id) => {
      const { info, operations, schemas } = contract(id)
      const out: [string, string][] = [[flat(info.description), info.description]]
      const add = (t: string) => (out.push([flat(t), t]), t)
      mapTexts(operations, add)
      mapTexts(schemas, add)
      return out
    }))
    const paragraphs = (s: string) => s.trim().split(/\n\s*\n/).length
    for (const [e, c] of contracts.flatMap(pairs)) {
      expect(c, e).not.toMatch(/\p{Script=Han}[,;:?!]|[,;:?!]\p{Script=Han}|\p{Script=Han}\.$/u)
      expect(paragraphs(c), e).toBe(paragraphs(english.get(e) ?? ''))
      if (/[.]$/.test(e)) expect(c, e).toMatch(/[。]$/)
    }
  })
})
