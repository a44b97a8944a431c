// The catalogue's files as forms see them: what is in force, and what was edited
// here and is not in force yet. Nothing is stored before it is applied; the
// edited files are kept on this device until then.
import { desk } from '../../../kit/api'
import { drop, keep, kept } from '../../../kit/drafts'
import { unwrap } from '../../../kit/errors'
import { session } from '../../../kit/session.svelte'
import { queries } from '../../../kit/query'
import type { S } from '../../data'
import { allowed, administrators } from '../places'
import { carried, differing } from './begun'

export interface Both {
  zh?: string
  en?: string
}
export interface Template {
  id: string
  name: Both
  content: Both
}
export interface ProblemType {
  id: string
  name: Both
  case_type: string
  can_use_support_plan?: boolean
  quota?: number
  params?: string[]
  templates?: Template[]
}
export interface Product {
  id: string
  sub_type: string
  name: Both
  desc?: Both
  acronym?: string
  can_use_support_plan?: boolean
  problem_types?: ProblemType[]
}
export interface Param {
  key: string
  kind: string
  name: Both
  desc?: Both
  tips?: Both
  required?: boolean
  length?: number
  min?: number
  max?: number
  default?: string
  items?: { value: string; name: Both }[]
  hidden?: boolean
  sensitive?: boolean
}
export interface Severity {
  id: string
  name: Both
  desc?: Both
  color?: string
}
export interface Target {
  severity: string
  first_response?: string
  next_response?: string
  resolution?: string
}
export interface PlanOf {
  id: string
  name: Both
  clock: string
  targets: Target[]
}
export interface Calendar {
  id: string
  name: Both
  zone: string
  hours: Record<string, string[]>
  holidays?: { from: string; to?: string; name?: Both }[]
  workdays?: { date: string; hours?: string[]; name?: Both }[]
}
/** An entry, and where in the files it stands. */
export interface At<T> {
  file: string
  under: string
  index: number
  value: T
}
export interface Tree {
  /** Texts of the sections catalog and agreements, by path. */
  files: Record<string, string>
  values: Record<string, Record<string, unknown>>
}
export type Edit = Omit<S['ConfigEdit'], 'value'> & { value?: unknown }

/** Where a file of the catalogue's export stands in the tree. */
export function treePath(name: string): string {
  if (name.startsWith('agreements/')) return name
  return name.startsWith('agreement') && !name.includes('/') ? `agreements/${name}` : `catalog/${name}`
}

async function edited(files: Record<string, string>, edits: Edit[]): Promise<Tree> {
  const got = await unwrap(desk.POST('/desk/v1/config/edit', { body: { files, edits: edits as S['ConfigEdit'][] } }))
  return { files: got.files, values: got.values as Tree['values'] }
}

/** What is in force. */
export const treeQuery = () => ({
  queryKey: ['admin', 'tree'],
  queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Tree> => {
    const files: Record<string, string> = {}
    if (allowed(administrators)) {
      const all = (await unwrap(desk.GET('/desk/v1/config', { signal }))).files
      for (const [path, text] of Object.entries(all)) if (/^(catalog|agreements)\/.*\.ya?ml$/.test(path)) files[path] = text
    } else {
      const all = (await unwrap(desk.GET('/desk/v1/catalog', { signal }))).files
      for (const [name, text] of Object.entries(all)) if (/\.ya?ml$/.test(name)) files[treePath(name)] = text
    }
    return edited(files, [])
  },
  staleTime: 30_000,
})

const place = 'admin.config'
const user = () => session()?.user_id ?? ''

/** What was edited and is not in force yet. */
class Draft {
  tree = $state.raw<Tree>()
  /** Files as they were in force when the editing began: what applying goes by. */
  from = $state.raw<Record<string, string>>({})
  #asked = false

  /** Takes up what was left on this device. */
  async resume(): Promise<void> {
    if (this.#asked || this.tree !== undefined) return
    this.#asked = true
    const k = kept<{ files: Record<string, string>; from: Record<string, string> }>(user(), place)
    if (k === undefined) return
    try {
      const tree = await edited(k.value.files, [])
      this.from = k.value.from
      this.tree = tree
    } catch {
      drop(user(), place)
    }
  }
  /** The files that differ from what was in force. */
  get changed(): string[] {
    return this.tree === undefined ? [] : differing(this.from, this.tree.files)
  }
  /** The files that others changed since the editing began. */
  moved(now: Tree): string[] {
    return this.tree === undefined ? [] : differing(this.from, now.files)
  }
  /** Goes on from what is in force now, with the files changed here; false when both changed the same file. */
  async carry(now: Tree): Promise<boolean> {
    const files = carried(this.from, this.tree?.files ?? {}, now.files)
    if (files === undefined) return false
    const tree = await edited(files, [])
    this.from = now.files
    this.tree = tree
    this.#keep()
    return true
  }
  async edit(inForce: Tree, edits: Edit[]): Promise<void> {
    const base = this.tree ?? inForce
    const names = [...new Set(edits.map((e) => e.file))]
    const some: Record<string, string> = {}
    for (const n of names) some[n] = base.files[n] ?? ''
    const got = await edited(some, edits)
    if (this.tree === undefined) this.from = inForce.files
    this.tree = { files: { ...base.files, ...got.files }, values: { ...base.values, ...got.values } }
    this.#keep()
  }
  #keep(): void {
    if (this.tree === undefined || this.changed.length === 0) this.clear()
    else keep(user(), place, { files: this.tree.files, from: this.from })
  }
  clear(): void {
    this.tree = undefined
    drop(user(), place)
  }
  async applied(): Promise<void> {
    this.clear()
    await queries.invalidateQueries({ queryKey: ['admin'] })
  }
}
export const draft = new Draft()

/** All entries of a list, whatever file they stand in. */
export function entries<T>(tree: Tree | undefined, under: string): At<T>[] {
  return Object.keys(tree?.values ?? {})
    .sort()
    .flatMap((file) => ((tree?.values[file]?.[under] ?? []) as T[]).map((value, index) => ({ file, under, index, value })))
}

/** A mapping of a file and where it stands. */
export function mapping(tree: Tree | undefined, under: string): { file: string; value: Record<string, unknown> } | undefined {
  for (const [file, v] of Object.entries(tree?.values ?? {})) {
    const value = v[under]
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { file, value: value as Record<string, unknown> }
  }
  return undefined
}

/** An entry without what is empty: the files say only what there is. */
export function lean<T>(value: T): T {
  if (Array.isArray(value)) return value.map(lean) as T
  if (typeof value !== 'object' || value === null) return value
  const out: Record<string, unknown> = {}
  for (const [k, v] of Object.entries(value)) {
    const w: unknown = lean(v)
    const nothing = w === undefined || w === '' || w === null || (Array.isArray(w) && w.length === 0) || (typeof w === 'object' && w !== null && !Array.isArray(w) && Object.keys(w).length === 0)
    if (!nothing) out[k] = w
  }
  return out as T
}

export const has = (b: Both | undefined, l: 'zh' | 'en') => (b?.[l] ?? '').trim() !== ''
/** The language that is missing where the other one is there. */
export function missing(b: Both | undefined): 'zh' | 'en' | undefined {
  if (has(b, 'zh') && !has(b, 'en')) return 'en'
  if (has(b, 'en') && !has(b, 'zh')) return 'zh'
  return undefined
}
