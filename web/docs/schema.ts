// A schema's type and limits in words.
import { resolve, type Schemas } from './sample'
import type { Schema } from './build/types'
import { t } from './texts'

export function typeName(schema: Schema, schemas: Schemas): string {
  const s = resolve(schema, schemas)
  if (s.type === 'array') return t('op.list', { type: typeName(s.items ?? {}, schemas) })
  if (s.properties === undefined && typeof s.additionalProperties === 'object' && Object.keys(s.additionalProperties).length > 0) return t('op.map', { type: typeName(s.additionalProperties, schemas) })
  if (s.type === undefined && s.properties === undefined) return t('op.any')
  return `${s.type ?? 'object'}${s.format === undefined ? '' : ` (${s.format})`}`
}

/** What is inside: the fields of an object, of a list's entries, or of a map's values. */
export function inside(schema: Schema, schemas: Schemas): (Schema & { name?: string }) | undefined {
  const s = resolve(schema, schemas)
  if (s.properties !== undefined && Object.keys(s.properties).length > 0) return s
  if (s.type === 'array' && s.items !== undefined) return inside(s.items, schemas)
  if (typeof s.additionalProperties === 'object') return inside(s.additionalProperties, schemas)
  return undefined
}

export function limits(schema: Schema, schemas: Schemas): string[] {
  const s = resolve(schema, schemas)
  const out: string[] = []
  const between = (key: 'op.length' | 'op.range' | 'op.items', min: number | undefined, max: number | undefined) => {
    if (min !== undefined && max !== undefined) out.push(t(key, { min: String(min), max: String(max) }))
    else if (max !== undefined) out.push(t(`${key}.max`, { max: String(max) }))
    else if (min !== undefined && min > 0) out.push(t(`${key}.min`, { min: String(min) }))
  }
  between('op.length', s.minLength, s.maxLength)
  between('op.range', s.minimum, s.maximum)
  between('op.items', s.minItems ?? s.minProperties, s.maxItems ?? s.maxProperties)
  if (s.pattern !== undefined) out.push(t('op.pattern', { value: s.pattern }))
  if (s.writeOnly === true) out.push(t('op.writeonly'))
  if (s.readOnly === true) out.push(t('op.readonly'))
  if (s.default !== undefined) out.push(t('op.default', { value: JSON.stringify(s.default) }))
  return out
}

export const values = (schema: Schema, schemas: Schemas): string[] => {
  const s = resolve(schema, schemas)
  const of = s.type === 'array' && s.items !== undefined ? resolve(s.items, schemas) : s
  return (of.enum ?? of['x-documented-enum'] ?? []).map(String)
}
