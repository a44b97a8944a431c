// Sample values for requests: what the contract requires, and nothing more.
import type { Operation, Parameter, Schema } from './build/types'

export type Schemas = Record<string, Schema>
export type Value = string | number | boolean | Value[] | { [key: string]: Value }

export const nameOf = (ref: string) => ref.split('/').at(-1) ?? ''

/** A schema with its reference followed and its parts joined; `name` is that of the schema it is. */
export function resolve(schema: Schema, schemas: Schemas): Schema & { name?: string } {
  if (schema.$ref !== undefined) {
    const name = nameOf(schema.$ref)
    return { ...resolve(schemas[name] ?? {}, schemas), name }
  }
  if (schema.allOf === undefined) return schema
  const parts = schema.allOf.map((s) => resolve(s, schemas))
  return {
    ...Object.assign({}, ...parts),
    ...schema,
    name: parts.find((p) => p.name !== undefined)?.name,
    properties: Object.assign({}, ...parts.map((p) => p.properties), schema.properties) as Record<string, Schema>,
    required: [...parts.flatMap((p) => p.required ?? []), ...(schema.required ?? [])],
  }
}

// Values that the server takes as they stand, by the field's name.
const known: Record<string, Value> = {
  label_ids: ['1'],
  source_id: '83aeb0f2834c4df49826c781d32a963e',
  action_id: 'press',
  accessory_from: 'incident',
  accessory_name: 'FILE.txt',
  accessory_data: 'aGVsbG8K',
  color: '#2F80ED',
  config_key: 'feedback_types',
  create_time: '2026-11-26T08:00:00Z',
  contact_value: 'user@example.com',
  verify_code: '123456',
  remind_mail: 'user@example.com',
  remind_time: '0',
  port: 22,
  'auth.identity.methods': ['password'],
}

/** A word in capitals stands for what the reader knows. */
const placeholder = (name: string) => name.replace(/([a-z])([A-Z])/g, '$1_$2').replace(/[^A-Za-z0-9]+/g, '_').toUpperCase()

export function sample(schema: Schema, name: string, schemas: Schemas, depth = 0): Value {
  const s = resolve(schema, schemas)
  const given = s.example ?? known[name] ?? s.default ?? s.enum?.[0] ?? s['x-documented-enum']?.[0]
  if (given !== undefined && given !== null) return given as Value
  switch (s.type) {
    case 'integer':
    case 'number':
      return Math.max(s.minimum ?? 1, 1)
    case 'boolean':
      return true
    case 'array':
      return depth > 4 || s.items === undefined ? [] : [sample(s.items, name.replace(/s$/, ''), schemas, depth + 1)]
    case 'object':
    case undefined: {
      const out: { [key: string]: Value } = {}
      for (const key of s.required ?? []) {
        const field = s.properties?.[key]
        if (field !== undefined) out[key] = sample(field, key, schemas, depth + 1)
      }
      return out
    }
    default:
      if (s.format === 'date-time') return '2026-11-26T08:00:00Z'
      if (s.format === 'date') return '2026-11-26'
      return placeholder(name)
  }
}

// Optional by the contract, and without them the call means nothing.
const wanted: Record<string, Record<string, Value>> = { UpdateAuthorizations: { action_id: 'cancel' }, ListDiagnoseJob: { job_id: 'JOB_ID' } }

export const required = (o: Operation, where: Parameter['in']): Parameter[] =>
  o.parameters.flatMap((p) => {
    const example = wanted[o.operationId]?.[p.name]
    if (p.in !== where || (p.required !== true && example === undefined)) return []
    return example === undefined ? [p] : [{ ...p, schema: { ...p.schema, example } }]
  })

/** The body a request needs: its media type and schema. Optional ones are shown too, empty as they may be. */
export function bodyOf(o: Operation): { kind: string; schema: Schema } | undefined {
  const [kind, media] = Object.entries(o.requestBody?.content ?? {})[0] ?? []
  return kind === undefined || media?.schema === undefined ? undefined : { kind, schema: media.schema }
}
