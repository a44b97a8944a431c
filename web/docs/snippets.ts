// An operation as a call that can be pasted: curl with a token, Go and Python
// with the official SDKs where they know the operation. Credentials come from
// the environment (TOKEN, AK, SK); words in capitals are the reader's to fill.
import type { ContractId, Operation, Schema } from './build/types'
import { bodyOf, required, resolve, sample, type Schemas, type Value } from './sample'

export type Kind = 'curl' | 'go' | 'python'
export const kinds: { id: Kind; name: string; lang: string }[] = [
  { id: 'curl', name: 'curl', lang: 'bash' },
  { id: 'go', name: 'Go', lang: 'go' },
  { id: 'python', name: 'Python', lang: 'python' },
]

export interface Call {
  contract: ContractId
  operation: Operation
  schemas: Schemas
  endpoint: string
}

// Bodies that the schema alone does not tell.
const bodies: Record<string, Value> = {
  CreateToken: {
    auth: {
      identity: { methods: ['password'], password: { user: { name: 'USER', password: 'PASSWORD', domain: { name: 'ACCOUNT' } } } },
      scope: { domain: { name: 'ACCOUNT' } },
    },
  },
  CreateTemporaryCredential: { auth: { identity: { methods: ['token'], token: { id: 'TOKEN', duration_seconds: 900 } } } },
  CreateBrowserSession: { domain: 'ACCOUNT', name: 'USER', password: 'PASSWORD' },
  CreatePrivileges: { operation: 'create', privilege: 'export' },
  UpdateCases: { operate_desc: 'OPERATE_DESC' },
  UpdateAuthorizations: {},
  UpdateCaseContactInfo: { remind_mail: 'user@example.com', remind_time: '0' },
}

/** A body; where nothing is required its first fields, so that there is something to change. */
function bodySample({ operation: o, schemas }: Call): Value {
  const given = bodies[o.operationId]
  const schema = bodyOf(o)?.schema
  if (given !== undefined || schema === undefined) return given ?? {}
  const value = sample(schema, '', schemas)
  if (typeof value !== 'object' || Array.isArray(value) || Object.keys(value).length > 0) return value
  return Object.fromEntries(Object.entries(resolve(schema, schemas).properties ?? {}).slice(0, 4).map(([k, f]) => [k, sample(f, k, schemas)]))
}

const shell = (s: string) => `'${s.replaceAll("'", `'\\''`)}'`
const text = (v: Value) => (typeof v === 'object' ? JSON.stringify(v) : String(v))

/** Path and query with sample values; blanks and marks as a URL has them. */
function address({ operation: o, schemas, endpoint }: Call): string {
  const path = o.path.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const p = o.parameters.find((p) => p.in === 'path' && p.name === name)
    return encodeURIComponent(text(sample(p?.schema ?? {}, name, schemas)))
  })
  const query = required(o, 'query').flatMap((p) => {
    const v = sample(p.schema, p.name, schemas)
    return (Array.isArray(v) ? v : [v]).map((x) => `${encodeURIComponent(p.name)}=${encodeURIComponent(text(x))}`)
  })
  return endpoint + path + (query.length > 0 ? `?${query.join('&')}` : '')
}

const headers = ({ operation: o, schemas }: Call) => required(o, 'header').map((p) => [p.name, text(sample(p.schema, p.name.replace(/^X-/, ''), schemas))] as const)
const download = (o: Operation) => {
  const kinds = Object.keys(o.responses['200']?.content ?? {})
  return kinds.length > 0 && !kinds.some((k) => k.includes('json') || k.startsWith('text/'))
}

function curl(call: Call): string {
  const o = call.operation
  const lines = [`curl -sS ${o.method === 'GET' ? '' : o.method === 'HEAD' ? '-I ' : `${o.operationId === 'CreateToken' ? '-i ' : ''}-X ${o.method} `}${shell(address(call))}`]
  if (o.auth === 'token') lines.push('-H "X-Auth-Token: $TOKEN"')
  if (o.auth === 'session') lines.push('-b "$COOKIE"', '-H "X-Csrf: $CSRF"')
  for (const [name, value] of headers(call)) lines.push(name === 'X-Subject-Token' ? '-H "X-Subject-Token: $TOKEN"' : `-H ${shell(`${name}: ${value}`)}`)
  const body = bodyOf(o)
  if (body?.kind === 'multipart/form-data') {
    const s = resolve(body.schema, call.schemas)
    for (const [name, field] of Object.entries(s.properties ?? {})) {
      if (resolve(field, call.schemas).format === 'binary') lines.push(`-F ${name}=@FILE.txt`)
      else if (name === 'form_data') lines.push(`-F ${shell(`form_data=${JSON.stringify(form)}`)}`)
      else if (s.required?.includes(name)) lines.push(`-F ${shell(`${name}=${text(sample(field, name, call.schemas))}`)}`)
    }
  } else if (body?.kind.includes('json')) lines.push(`-H 'Content-Type: ${body.kind}'`, `-d ${shell(JSON.stringify(bodySample(call), null, 2))}`)
  else if (body !== undefined) lines.push(`-H 'Content-Type: ${body.kind === '*/*' ? 'application/octet-stream' : body.kind}'`, '--data-binary @FILE')
  if (download(o)) lines.push('-o FILE')
  return `${lines.join(' \\\n  ')}\n`
}

const form = { fileName: 'FILE.txt', accessoryFrom: 'incident', uploadType: 0 }

// ---- Go, the official SDK (services/osm/v2)

const camel = (name: string) => name.split(/[_-]/).map((p) => p.charAt(0).toUpperCase() + p.slice(1)).join('')
const quote = (s: string) => JSON.stringify(s)

// Numbers in the SDK, texts in the contract (and on the wire the same).
const numbers = new Set(['label_ids'])

// Values that are types of the SDK: field of a request or schema, to its constant.
const enums: Record<string, string> = {
  'ListPrivilegesRequest.privilege': 'model.GetListPrivilegesRequestPrivilegeEnum().',
  'CreateAndDeletePrivilegeReq.privilege': 'model.GetCreateAndDeletePrivilegeReqPrivilegeEnum().',
  'AccessoryJsonFormatReq.accessory_from': 'model.GetAccessoryJsonFormatReqAccessoryFromEnum().',
  'ShowDownloadAccessoryUrlRequest.relation_type': 'model.GetShowDownloadAccessoryUrlRequestRelationTypeEnum().',
}

/** What the SDK wants a pointer to stands in a variable of its own before the call. */
type Variables = Map<string, string>

/** A value as the SDK's generated types want it. */
function goValue(value: Value, schema: Schema, owner: string, name: string, schemas: Schemas, indent: string, vars: Variables): string {
  const s = resolve(schema, schemas)
  const constant = enums[`${owner}.${name}`]
  if (constant !== undefined) return `${constant}${camel(text(value)).toUpperCase() === text(value).toUpperCase() ? text(value).toUpperCase() : text(value).toUpperCase().replaceAll('-', '_')}`
  if (Array.isArray(value) && numbers.has(name)) return '[]int32{1}'
  if (Array.isArray(value)) return `${goType(s, schemas)}{${value.map((v) => goValue(v, s.items ?? {}, owner, name, schemas, indent, vars).replace(/^&model\.\w+/, '')).join(', ')}}`
  if (typeof value === 'object') {
    if (s.name === undefined) return `map[string]interface{}{${Object.entries(value).map(([k, v]) => `${quote(k)}: ${typeof v === 'string' ? quote(v) : text(v)}`).join(', ')}}`
    return `&model.${s.name}{${goFields(value, s, s.name, schemas, `${indent}\t`, vars)}${Object.keys(value).length > 0 ? `\n${indent}` : ''}}`
  }
  return typeof value === 'string' ? quote(value) : text(value)
}

/** Fields one below the other, names and values in columns as gofmt has them. */
function goFields(value: { [key: string]: Value }, s: Schema, owner: string, schemas: Schemas, indent: string, vars: Variables): string {
  return columns(
    Object.entries(value).map(([k, v]) => {
      const made = goValue(v, s.properties?.[k] ?? {}, owner, k, schemas, indent, vars)
      return [camel(k), s.required?.includes(k) === true || made.startsWith('&') || made.startsWith('map[') ? made : pointer(k, made, vars)]
    }),
  )
    .map((l) => `\n${indent}${l},`)
    .join('')
}

function pointer(name: string, value: string, vars: Variables): string {
  const v = camel(name).replace(/^./, (c) => c.toLowerCase())
  vars.set(v, value)
  return `&${v}`
}

/** Keys and values as gofmt aligns them: a value of several lines ends a column. */
function columns(fields: [string, string][]): string[] {
  const out: string[] = []
  for (let from = 0; from < fields.length; ) {
    let to = from
    while (to < fields.length && !fields[to]?.[1].includes('\n')) to++
    const part = fields.slice(from, Math.max(to, from + 1))
    const width = Math.max(...part.map(([n]) => n.length)) + 2
    out.push(...part.map(([n, v]) => `${n}:`.padEnd(width) + v))
    from += part.length
  }
  return out
}

function goType(s: Schema & { name?: string }, schemas: Schemas): string {
  if (s.type === 'array') return `[]${goType(resolve(s.items ?? {}, schemas), schemas)}`
  if (s.type === 'integer') return s.format === 'int64' ? 'int64' : 'int32'
  if (s.type === 'boolean') return 'bool'
  if (s.type === 'string') return 'string'
  return s.name === undefined ? 'interface{}' : `model.${s.name}`
}

/** What the contract requires, or what makes the call mean something. */
const sdkBody = (o: Operation, schema: Schema, schemas: Schemas): Value => bodies[o.operationId] ?? sample(schema, '', schemas)

function goSDK(call: Call): string {
  const { operation: o, schemas, endpoint } = call
  const request = `${o.operationId}Request`
  const vars: Variables = new Map()
  const fields: [string, string][] = [...required(o, 'path'), ...required(o, 'query'), ...required(o, 'header')].map((p) => {
    const made = goValue(sample(p.schema, p.name, schemas), p.schema, request, p.name, schemas, '\t\t', vars)
    return [camel(p.name), p.required === true ? made : pointer(p.name, made, vars)]
  })
  const body = bodyOf(o)
  const upload = body?.kind === 'multipart/form-data'
  if (upload) fields.push(['Body', `&model.${o.operationId}RequestBody{\n\t\t\tFile:     def.NewFilePart(file),\n\t\t\tFormData: def.NewMultiPart(${'`'}${JSON.stringify(form)}${'`'}),\n\t\t}`])
  else if (body !== undefined) fields.push(['Body', goValue(sdkBody(o, body.schema, schemas), body.schema, request, 'body', schemas, '\t\t', vars)])
  const inner = columns(fields).map((l) => `\n\t\t${l},`).join('')
  const stream = download(o)
  const imports = [...(stream ? [] : ['fmt']), 'log', 'os'].map((i) => `\t"${i}"`)
  return `package main

import (
${imports.join('\n')}

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
${upload ? '\t"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/def"\n' : ''}	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"
)

func main() {
	credentials, err := global.NewCredentialsBuilder().WithAk(os.Getenv("AK")).WithSk(os.Getenv("SK")).SafeBuild()
	if err != nil {
		log.Fatal(err)
	}
	hc, err := osm.OsmClientBuilder().WithEndpoint(${quote(endpoint)}).WithCredential(credentials).SafeBuild()
	if err != nil {
		log.Fatal(err)
	}
${upload ? '\tfile, err := os.Open("FILE.txt")\n\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n' : ''}${[...vars].map(([n, v]) => `\t${n} := ${v}\n`).join('')}	response, err := osm.NewOsmClient(hc).${o.operationId}(&model.${request}{${inner}${fields.length > 0 ? '\n\t' : ''}})
	if err != nil {
		log.Fatal(err)
	}
${stream ? '\tif _, err := response.Consume(os.Stdout); err != nil {\n\t\tlog.Fatal(err)\n\t}' : '\tfmt.Println(response)'}
}
`
}

/** Other contracts have no SDK: the standard library. */
function goPlain(call: Call): string {
  const o = call.operation
  const body = bodyOf(o)
  const json = body?.kind.includes('json') ? JSON.stringify(bodySample(call), null, '\t').replaceAll('\n', '\n\t') : undefined
  const raw = body !== undefined && json === undefined
  const content = json !== undefined ? `strings.NewReader(${'`'}${json}${'`'})` : raw ? 'file' : 'nil'
  const imports = ['fmt', 'io', 'log', 'net/http', ...(o.auth === 'none' && !raw ? [] : ['os']), ...(json !== undefined ? ['strings'] : [])]
  const set: string[] = []
  if (o.auth === 'token') set.push('request.Header.Set("X-Auth-Token", os.Getenv("TOKEN"))')
  if (o.auth === 'session') set.push('request.Header.Set("Cookie", os.Getenv("COOKIE"))', 'request.Header.Set("X-Csrf", os.Getenv("CSRF"))')
  for (const [n, v] of headers(call)) set.push(`request.Header.Set(${quote(n)}, ${n === 'X-Subject-Token' ? 'os.Getenv("TOKEN")' : quote(v)})`)
  if (body !== undefined) set.push(`request.Header.Set("Content-Type", ${quote(json !== undefined ? body.kind : 'application/octet-stream')})`)
  return `package main

import (
${imports.map((i) => `\t"${i}"`).join('\n')}
)

func main() {
${raw ? '\tfile, err := os.Open("FILE")\n\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n' : ''}	request, err := http.NewRequest(${quote(o.method)}, ${quote(address(call))}, ${content})
	if err != nil {
		log.Fatal(err)
	}
${set.map((l) => `\t${l}\n`).join('')}	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.Status, string(body))
}
`
}

// ---- Python

const snake = (name: string) => name.replaceAll('-', '_').replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase()
const py = (v: Value): string => (typeof v === 'boolean' ? (v ? 'True' : 'False') : Array.isArray(v) ? `[${v.map(py).join(', ')}]` : typeof v === 'object' ? `{${Object.entries(v).map(([k, x]) => `${quote(k)}: ${py(x)}`).join(', ')}}` : typeof v === 'string' ? quote(v) : String(v))

function pyModel(value: Value, schema: Schema, schemas: Schemas, indent: string, used: Set<string>): string {
  const s = resolve(schema, schemas)
  if (Array.isArray(value)) return `[${value.map((v) => pyModel(v, s.items ?? {}, schemas, indent, used)).join(', ')}]`
  if (typeof value !== 'object' || s.name === undefined) return py(value)
  used.add(s.name)
  const deeper = `${indent}    `
  return `${s.name}(${Object.entries(value).map(([k, v]) => `\n${deeper}${snake(k)}=${pyModel(v, s.properties?.[k] ?? {}, schemas, deeper, used)},`).join('')}${Object.keys(value).length > 0 ? `\n${indent}` : ''})`
}

function pySDK({ operation: o, schemas, endpoint }: Call): string {
  const used = new Set<string>(['OsmClient', `${o.operationId}Request`])
  const fields = [...required(o, 'path'), ...required(o, 'query'), ...required(o, 'header')].map((p) => `    ${snake(p.name)}=${py(sample(p.schema, p.name, schemas))},`)
  const body = bodyOf(o)
  const upload = body?.kind === 'multipart/form-data'
  if (upload) {
    used.add(`${o.operationId}RequestBody`)
    fields.push(`    body=${o.operationId}RequestBody(\n        file=FormFile(open("FILE.txt", "rb")),\n        form_data=${quote(JSON.stringify(form))},\n    ),`)
  } else if (body !== undefined) fields.push(`    body=${pyModel(sdkBody(o, body.schema, schemas), body.schema, schemas, '    ', used)},`)
  return `import os

from huaweicloudsdkcore.auth.credentials import GlobalCredentials
${upload ? 'from huaweicloudsdkcore.http.formdata import FormFile\n' : ''}from huaweicloudsdkosm.v2 import ${[...used].join(', ')}

client = OsmClient.new_builder() \\
    .with_credentials(GlobalCredentials(os.environ["AK"], os.environ["SK"])) \\
    .with_endpoint(${quote(endpoint)}) \\
    .build()
response = client.${snake(o.operationId)}(${o.operationId}Request(${fields.length > 0 ? `\n${fields.join('\n')}\n` : ''}))
${download(o) ? 'with open("FILE", "wb") as file:\n    response.consume_download_stream(lambda chunk: file.write(chunk.content))' : 'print(response)'}
`
}

function pyPlain(call: Call): string {
  const o = call.operation
  const body = bodyOf(o)
  const json = body?.kind.includes('json') ? bodySample(call) : undefined
  const raw = body !== undefined && json === undefined
  const set: string[] = []
  if (o.auth === 'token') set.push('"X-Auth-Token": os.environ["TOKEN"]')
  if (o.auth === 'session') set.push('"Cookie": os.environ["COOKIE"]', '"X-Csrf": os.environ["CSRF"]')
  for (const [n, v] of headers(call)) set.push(`${quote(n)}: ${n === 'X-Subject-Token' ? 'os.environ["TOKEN"]' : quote(v)}`)
  if (body !== undefined) set.push(`"Content-Type": ${quote(json !== undefined ? body.kind : 'application/octet-stream')}`)
  const data = json !== undefined ? `\n    data=json.dumps(${py(json)}).encode(),` : raw ? '\n    data=open("FILE", "rb").read(),' : ''
  return `${json !== undefined ? 'import json\n' : ''}${o.auth === 'none' ? '' : 'import os\n'}import urllib.request

request = urllib.request.Request(
    ${quote(address(call))},
    method=${quote(o.method)},${data}${set.length > 0 ? `\n    headers={${set.join(', ')}},` : ''}
)
with urllib.request.urlopen(request) as response:
    print(response.status, response.read().decode())
`
}

export function snippet(kind: Kind, call: Call): string {
  if (kind === 'curl') return curl(call)
  if (kind === 'go') return call.contract === 'v2' ? goSDK(call) : goPlain(call)
  return call.contract === 'v2' ? pySDK(call) : pyPlain(call)
}
