// What the build makes of Markdown files and contracts, and the pages show.

export type Language = 'zh-cn' | 'en-us'

/** Text within a line. A string is text. */
export type Inline = string | { k: 'code'; t: string; op?: string } | { k: 'b'; c: Inline[] } | { k: 'i'; c: Inline[] } | { k: 'a'; c: Inline[]; href: string; out?: true } | { k: 'br' }

export type Block =
  | { k: 'h'; d: number; id: string; c: Inline[] }
  | { k: 'p'; c: Inline[] }
  | { k: 'list'; from: number | false; items: Block[][] }
  | { k: 'code'; lang: string; t: string }
  | { k: 'table'; head: Inline[][]; align: ('center' | 'left' | 'right' | null)[]; rows: Inline[][][] }
  | { k: 'quote'; c: Block[] }
  | { k: 'hr' }

export interface Guide {
  title: string
  blocks: Block[]
  /** Ids of headings in the other language, to those here: links keep when the language changes. */
  alias: Record<string, string>
}

export interface GuideInfo {
  id: string
  group: 'start' | 'api' | 'desk' | 'operate' | 'make'
  title: Record<Language, string>
}

export interface OperationInfo {
  id: string
  method: string
  path: string
  summary: string
  /** The summary in English, where it is given in another language: one searches by it too. */
  english?: string
}
export interface ContractInfo {
  id: ContractId
  title: string
  description: string
  /** `name` is the contract's own and makes the fragment, `label` is for people. */
  groups: { name: string; label: string; description: string; operations: OperationInfo[] }[]
}
export type ContractId = 'v2' | 'iam' | 'desk' | 'web'

/** The parts of JSON Schema that the contracts use. */
export interface Schema {
  $ref?: string
  type?: string
  format?: string
  description?: string
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  allOf?: Schema[]
  additionalProperties?: boolean | Schema
  enum?: (string | number)[]
  default?: unknown
  example?: unknown
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  minProperties?: number
  maxProperties?: number
  pattern?: string
  nullable?: boolean
  writeOnly?: boolean
  readOnly?: boolean
  'x-documented-enum'?: (string | number)[]
}
export interface Parameter {
  name: string
  in: 'path' | 'query' | 'header' | 'cookie'
  required?: boolean
  description?: string
  schema: Schema
}
export interface Body {
  required?: boolean
  description?: string
  content: Record<string, { schema?: Schema }>
}
export interface Answer {
  description: string
  headers?: Record<string, { description?: string; schema?: Schema }>
  content?: Record<string, { schema?: Schema }>
}
export interface Operation {
  operationId: string
  tags?: string[]
  summary?: string
  description?: string
  method: string
  path: string
  parameters: Parameter[]
  requestBody?: Body
  responses: Record<string, Answer>
  /** What opens it: nothing, a token or signature, or a browser's session with X-Csrf. */
  auth: 'none' | 'token' | 'session'
}
