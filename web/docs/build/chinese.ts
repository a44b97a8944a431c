// The contracts are in English. Their Chinese texts lie beside them in
// api/zh, one line for each English text, so that what is said in several
// places is translated once and a changed text has no translation any more.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ContractId } from './types'

export const contracts: ContractId[] = ['v2', 'iam', 'desk', 'web']
export const api = resolve(import.meta.dirname, '../../../api')
export const chineseFile = (id: ContractId) => join(api, 'zh', `${id}.tsv`)

/** A text as it is looked up: where a line of YAML ends does not matter. */
export const flat = (text: string) => text.replace(/\s+/g, ' ').trim()

/** The lines of one file: English and Chinese. What is no pair is refused. */
export function pairs(id: ContractId): [english: string, chinese: string][] {
  return readFileSync(chineseFile(id), 'utf8')
    .split('\n')
    .filter((l) => l !== '' && !l.startsWith('# '))
    .map((l) => {
      const [english, chinese, ...more] = l.split('\t')
      if (english === undefined || chinese === undefined || more.length > 0 || chinese.trim() === '') throw new Error(`${chineseFile(id)}: not two texts: ${l}`)
      return [english, chinese.replaceAll('\\n', '\n')]
    })
}

let known: Map<string, string> | undefined

/** All texts; `again` reads them anew. */
export function dictionary(again = false): Map<string, string> {
  if (known === undefined || again) known = new Map(contracts.flatMap(pairs))
  return known
}

// Values, not texts; and what holds names of fields, headers and statuses, which may be called alike.
const values = new Set(['example', 'default', 'enum', 'x-documented-enum'])
const named = new Set(['properties', 'responses', 'headers', 'content'])

/** Calls `each` with the texts of a part of a contract, and puts what it answers in their place. */
export function mapTexts<T>(part: T, each: (text: string, where: string) => string, where = '', names = false): T {
  if (Array.isArray(part)) return part.map((x: unknown, i) => mapTexts(x, each, `${where}[${String(i)}]`)) as T
  if (typeof part !== 'object' || part === null) return part
  return Object.fromEntries(
    Object.entries(part).map(([key, value]: [string, unknown]) => {
      const at = `${where}.${key}`
      if (names) return [key, mapTexts(value, each, at)]
      if ((key === 'description' || key === 'summary') && typeof value === 'string') return [key, value === '' ? '' : each(value, at)]
      return [key, values.has(key) ? value : mapTexts(value, each, at, named.has(key))]
    }),
  ) as T
}
