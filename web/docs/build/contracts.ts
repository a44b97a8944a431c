// The contracts reduced to what the pages show, at build time.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { api, dictionary, flat, mapTexts } from './chinese'
import type { Answer, Body, ContractId, ContractInfo, Language, Operation, Parameter, Schema } from './types'

type Ref<T> = T | { $ref: string }
interface Raw {
  info: { title: string; description?: string }
  tags?: { name: string; description?: string }[]
  security?: object[]
  paths: Record<string, Record<string, unknown> & { parameters?: Ref<Parameter>[] }>
  components: { parameters?: Record<string, Parameter>; responses?: Record<string, Answer>; schemas: Record<string, Schema>; requestBodies?: Record<string, Body> }
}
interface RawOperation {
  operationId: string
  tags?: string[]
  summary?: string
  description?: string
  parameters?: Ref<Parameter>[]
  requestBody?: Ref<Body>
  responses: Record<string, Ref<Answer>>
  security?: object[]
}

const needed = (schemes: object[]): Operation['auth'] => {
  const names = schemes.flatMap((s) => Object.keys(s))
  return names.includes('TokenAuth') ? 'token' : names.length > 0 ? 'session' : 'none'
}

const methods = ['get', 'post', 'put', 'patch', 'delete', 'head'] as const

export interface Contract {
  info: ContractInfo
  operations: Record<string, Operation>
  schemas: Record<string, Schema>
}

const read = new Map<ContractId, Contract>()

/** A contract, read once; `again` reads it anew. */
export function contract(id: ContractId, again = false): Contract {
  const known = again ? undefined : read.get(id)
  if (known !== undefined) return known
  const made = make(id)
  read.set(id, made)
  return made
}

/** What operations outside the navigation go under has no name of its own. */
const label = (group: string) => (group === 'extra' ? 'Outside the navigation' : group)

/** A contract in a language. A text without a Chinese one stays English; the unit tests allow none. */
export function localized(id: ContractId, language: Language): Contract {
  const english = contract(id)
  // The contract's own README is not part of the documentation.
  if (language === 'en-us') return mapTexts(english, (text) => text.replace(/; see README\.md( on status 200)?(?=\.|$)/, ''))
  const words = dictionary()
  const say = (text: string) => words.get(flat(text)) ?? text
  const { info, operations, schemas } = mapTexts(english, say)
  const groups = info.groups.map((g) => ({ ...g, label: say(g.label), operations: g.operations.map((o) => ({ ...o, english: english.operations[o.id]?.summary ?? '' })) }))
  return { info: { ...info, groups }, operations, schemas }
}

function make(id: ContractId): Contract {
  const raw = parse(readFileSync(join(api, `${id}.yaml`), 'utf8')) as Raw
  const follow = <T>(x: Ref<T>): T => {
    if (typeof x !== 'object' || x === null || !('$ref' in x)) return x
    let at: unknown = raw
    for (const part of x.$ref.replace('#/', '').split('/')) at = (at as Record<string, unknown>)[part]
    if (at === undefined) throw new Error(`${id}.yaml: ${x.$ref} leads nowhere`)
    return at as T
  }
  const operations: Record<string, Operation> = {}
  const groups = new Map<string, ContractInfo['groups'][number]>((raw.tags ?? []).map((t) => [t.name, { name: t.name, label: label(t.name), description: t.description?.startsWith('Navigation group') ? '' : (t.description ?? ''), operations: [] }]))
  for (const [path, item] of Object.entries(raw.paths))
    for (const method of methods) {
      const o = item[method] as RawOperation | undefined
      if (o === undefined) continue
      operations[o.operationId] = {
        operationId: o.operationId,
        tags: o.tags,
        summary: o.summary,
        description: o.description,
        method: method.toUpperCase(),
        path,
        parameters: [...(item.parameters ?? []), ...(o.parameters ?? [])].map(follow),
        requestBody: o.requestBody === undefined ? undefined : follow(o.requestBody),
        responses: Object.fromEntries(Object.entries(o.responses).map(([status, a]) => [status, follow(a)])),
        auth: needed(o.security ?? raw.security ?? []),
      }
      const tag = o.tags?.[0] ?? ''
      const group = groups.get(tag) ?? { name: tag, label: label(tag), description: '', operations: [] }
      group.operations.push({ id: o.operationId, method: method.toUpperCase(), path, summary: o.summary ?? '' })
      groups.set(tag, group)
    }
  return {
    info: { id, title: raw.info.title, description: id === 'v2' ? '' : (raw.info.description ?? ''), groups: [...groups.values()].filter((g) => g.operations.length > 0) },
    operations,
    schemas: raw.components.schemas,
  }
}
