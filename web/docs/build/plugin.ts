// Gives the pages the guides and contracts as modules:
//   virtual:docs/index                      guides and their titles
//   virtual:docs/guide/LANGUAGE/ID          a guide
//   virtual:docs/contracts/LANGUAGE/all     all operations by contract and group
//   virtual:docs/operations/LANGUAGE/CONTRACT, virtual:docs/schemas/LANGUAGE/CONTRACT
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Plugin } from 'vite'
import { api, chineseFile, contracts, dictionary } from './chinese'
import { contract, localized } from './contracts'
import { guides } from './guides'
import { fileOf, guide } from './markdown'
import type { ContractId, GuideInfo, Language } from './types'

const prefix = 'virtual:docs/'
const languages: Language[] = ['zh-cn', 'en-us']

const titleOf = (file: string) => (/^# (.+)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? '').trim()
const named = () => new Set(Object.keys(contract('v2').operations))

function source(name: string): string {
  const [kind, id = '', rest = ''] = name.split('/')
  const out = (value: unknown) => `export default JSON.parse(${JSON.stringify(JSON.stringify(value))})`
  switch (kind) {
    case 'index': {
      const list: GuideInfo[] = guides.map((g) => ({ id: g.id, group: g.group, title: { 'zh-cn': titleOf(fileOf(g.id, 'zh-cn')), 'en-us': titleOf(fileOf(g.id, 'en-us')) } }))
      const load = (make: (l: Language) => string) => languages.map((l) => `'${l}':{${make(l)}}`).join()
      return [
        `export const guides=${JSON.stringify(list)}`,
        `export const loadGuide={${load((l) => guides.map((g) => `'${g.id}':()=>import('${prefix}guide/${l}/${g.id}')`).join())}}`,
        `export const loadContracts={${languages.map((l) => `'${l}':()=>import('${prefix}contracts/${l}/all')`).join()}}`,
        `export const loadOperations={${load((l) => contracts.map((c) => `${c}:()=>import('${prefix}operations/${l}/${c}')`).join())}}`,
        `export const loadSchemas={${load((l) => contracts.map((c) => `${c}:()=>import('${prefix}schemas/${l}/${c}')`).join())}}`,
      ].join('\n')
    }
    case 'guide':
      return out(guide(rest, id as Language, named()))
    case 'contracts':
      return out(contracts.map((c) => localized(c, id as Language).info))
    case 'operations':
      return out(localized(rest as ContractId, id as Language).operations)
    case 'schemas':
      return out(localized(rest as ContractId, id as Language).schemas)
  }
  throw new Error(`there is no ${name}`)
}

export function documents(): Plugin {
  return {
    name: 'casemate-documents',
    buildStart() {
      for (const c of contracts) contract(c, true)
      dictionary(true)
    },
    resolveId: (id) => (id.startsWith(prefix) ? `\0${id}` : undefined),
    load(id) {
      if (!id.startsWith(`\0${prefix}`)) return undefined
      for (const g of guides) for (const l of languages) this.addWatchFile(fileOf(g.id, l))
      for (const c of contracts) for (const file of [join(api, `${c}.yaml`), chineseFile(c)]) this.addWatchFile(file)
      return source(id.slice(prefix.length + 1))
    },
  }
}
