// Documents and contracts against each other: both languages alike, every link
// leads somewhere, every operation is reachable, every call to copy is a
// program.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { contracts } from './build/chinese'
import { contract } from './build/contracts'
import { guides } from './build/guides'
import { docs, fileOf, guide, headings } from './build/markdown'
import type { Block, Inline, Language } from './build/types'
import { plain } from './inline'
import { resolve } from './sample'
import { kinds, snippet } from './snippets'

const localized = new Set(['knowledge', 'reports', 'configuration', 'administration', 'sign-in', 'privacy', 'scaling'])
const languages: Language[] = ['zh-cn', 'en-us']
const named = new Set(Object.keys(contract('v2').operations))
const all = guides.map((g) => ({ id: g.id, 'zh-cn': guide(g.id, 'zh-cn', named), 'en-us': guide(g.id, 'en-us', named) }))

function flat(blocks: Block[]): Block[] {
  return blocks.flatMap((b) => [b, ...(b.k === 'list' ? b.items.flatMap(flat) : b.k === 'quote' ? flat(b.c) : [])])
}
const lines = (b: Block): Inline[][] => (b.k === 'h' || b.k === 'p' ? [b.c] : b.k === 'table' ? [b.head, ...b.rows].flat() : [])
const links = (c: Inline[]): string[] => c.flatMap((i) => (typeof i === 'string' || i.k === 'br' ? [] : i.k === 'code' ? (i.op === undefined ? [] : [`/docs/api/v2/${i.op}`]) : i.k === 'a' ? [i.href] : links(i.c)))
// Terms of the search, no names on a page.
const searched = new Set(['词', '带连接符的词', '运算符', '带冒号但不是运算符的词按文本处理', '总数', '邮箱或手机号', '排序', '摘要', '权限', '联系方式', 'Contacts', 'Words', 'Joined words', 'A mail address or a phone number', 'Operators', 'A word with a colon that is no operator is a text', 'Order', 'Total', 'Snippets', 'Rights', 'Followers', '关注者'])
const comment = (code: string) => code.split('\n').map((l) => l.replace(/(^|\s+)#.*$/, '').trimEnd()).filter((l) => l.trim() !== '')

describe('guides', () => {
  test.each(all.map((g) => [g.id, g] as const))('%s: the same headings, tables and code in both languages', (_, g) => {
    const [zh, en] = [flat(g['zh-cn'].blocks), flat(g['en-us'].blocks)]
    const shape = (b: Block[]) => headings(b).map((h) => h.d)
    expect(shape(zh)).toEqual(shape(en))
    const tables = (b: Block[]) => b.flatMap((x) => (x.k === 'table' ? [`${String(x.head.length)} x ${String(x.rows.length)}`] : []))
    expect(tables(zh)).toEqual(tables(en))
    // Some show names and answers in their language; the code of the others is the same but for its comments.
    const code = (b: Block[]) => b.flatMap((x) => (x.k === 'code' ? [localized.has(g.id) ? x.lang : comment(x.t)] : []))
    expect(code(zh)).toEqual(code(en))
    expect(new Set(headings(zh).map((h) => h.id)).size).toBe(headings(zh).length)
  })
  test('Chinese documents are Chinese, English ones English', () => {
    for (const g of all) {
      expect(g['zh-cn'].title, g.id).toMatch(/\p{Script=Han}/u)
      expect(g['en-us'].title, g.id).not.toMatch(/\p{Script=Han}/u)
      for (const h of headings(g['en-us'].blocks)) expect(h.id, g.id).not.toMatch(/\p{Script=Han}/u)
    }
  })
  test('no dead link', () => {
    const ids = new Map(all.flatMap((g) => languages.map((l) => [`${l} ${g.id}`, new Set(headings(g[l].blocks).map((h) => h.id))] as const)))
    for (const g of all)
      for (const l of languages)
        for (const b of flat(g[l].blocks))
          for (const href of lines(b).flatMap(links)) {
            if (href.startsWith('http')) continue
            const where = `${g.id} ${l}: ${href}`
            const [, kind, id = '', rest] = /^\/docs\/(guide|api)\/([^/#]+)(?:\/(\w+))?/.exec(href) ?? []
            if (kind === 'api') expect(rest === undefined ? contracts : Object.keys(contract('v2').operations), where).toContain(rest ?? id)
            else {
              expect(kind, where).toBe('guide')
              const anchor = href.split('#')[1]
              expect(ids.has(`${l} ${id}`), where).toBe(true)
              if (anchor !== undefined) expect([...(ids.get(`${l} ${id}`) ?? [])], where).toContain(anchor)
            }
          }
  })
  test('what is in bold stands on a button or page, in the words of the catalogues', { timeout: 60_000 }, async () => {
    const catalogues = import.meta.glob<{ default: Record<string, string> }>('../{console,desk,kit,login}/**/{zh-cn,en-us}.ts', { eager: true })
    for (const l of languages) {
      const said = new Set(
        Object.entries(catalogues)
          .filter(([file]) => file.endsWith(`/${l}.ts`))
          .flatMap(([, m]) => Object.values(m.default))
          .flatMap((t) => [t, ...t.split('|')])
          .map((t) => t.replace(/\s*[（(]?\{\w+\}[）)]?$/, '')),
      )
      const bold = (c: Inline[]): string[] => c.flatMap((i) => (typeof i === 'string' || !('c' in i) ? [] : i.k === 'b' ? [plain(i.c)] : bold(i.c)))
      // What ends with a full stop or colon begins a paragraph.
      for (const id of ['user-guide', 'rules', 'desk'])
        for (const name of flat(all.find((g) => g.id === id)?.[l].blocks ?? []).flatMap(lines).flatMap(bold))
          if (!/[。.：:]$/.test(name) && !(id === 'desk' && searched.has(name))) expect(said.has(name), `${id} ${l}: ${name}`).toBe(true)
    }
  })
  test('links between files exist, and stay in their language', () => {
    for (const g of guides)
      for (const l of languages) {
        const file = fileOf(g.id, l)
        for (const [, href = ''] of readFileSync(file, 'utf8').replace(/```[\s\S]*?```/g, '').matchAll(/\]\(([^)\s]+)\)/g)) {
          if (/^(https?:|#)/.test(href)) continue
          const to = join(dirname(file), href.split('#')[0] ?? '')
          expect(existsSync(to), `${file}: ${href}`).toBe(true)
          const twin = to.replace(/(\.zh-CN)?\.md$/, '.zh-CN.md')
          // A guide names its twin in its first lines; every other link stays in the language.
          if (to.startsWith(docs) && existsSync(twin) && to !== file.replace('.zh-CN.md', '.md') && to !== file.replace(/\.md$/, '.zh-CN.md')) expect(to.endsWith('.zh-CN.md'), `${file}: ${href}`).toBe(l === 'zh-cn')
        }
      }
  })
})

describe('contracts', () => {
  test.each(contracts)('%s: every operation is in the list, under its own name', (id) => {
    const c = contract(id)
    const source = readFileSync(join(docs, `../api/${id}.yaml`), 'utf8')
    const wanted = [...source.matchAll(/^\s+operationId: (\w+)/gm)].map((m) => m[1] ?? '').sort()
    expect(wanted.length).toBeGreaterThan(10)
    expect(Object.keys(c.operations).sort()).toEqual(wanted)
    expect(c.info.groups.flatMap((g) => g.operations.map((o) => o.id)).sort()).toEqual(wanted)
  })
  test('schemas say nothing that the pages do not show', () => {
    const shown = new Set(['$ref', 'type', 'format', 'description', 'properties', 'required', 'items', 'allOf', 'additionalProperties', 'enum', 'default', 'example', 'minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems', 'pattern', 'nullable', 'minProperties', 'maxProperties', 'writeOnly', 'readOnly'])
    const look = (s: unknown, where: string) => {
      if (typeof s !== 'object' || s === null) return
      for (const [key, value] of Object.entries(s)) {
        if (key === 'properties') for (const [name, p] of Object.entries(value as object)) look(p, `${where}.${name}`)
        else {
          expect(shown.has(key) || key.startsWith('x-'), `${where}: ${key}`).toBe(true)
          if (key === 'items' || key === 'additionalProperties') look(value, where)
          if (key === 'allOf') for (const p of value as unknown[]) look(p, where)
        }
      }
    }
    for (const id of contracts) {
      const c = contract(id)
      for (const [name, s] of Object.entries(c.schemas)) {
        look(s, `${id} ${name}`)
        resolve(s, c.schemas)
      }
    }
  })
})

describe('calls to copy', () => {
  // Below the module, whose go.mod names the SDK.
  const folder = join(docs, '../.cache')
  let dir = ''
  beforeAll(() => {
    mkdirSync(folder, { recursive: true })
    dir = mkdtempSync(join(folder, 'docs-'))
    for (const c of contracts)
      for (const o of Object.values(contract(c).operations))
        for (const k of kinds) {
          const to = join(dir, k.id, c, o.operationId.toLowerCase())
          mkdirSync(to, { recursive: true })
          writeFileSync(join(to, { curl: 'call.sh', go: 'main.go', python: 'call.py' }[k.id]), snippet(k.id, { contract: c, operation: o, schemas: contract(c).schemas, endpoint: 'https://desk.example.com' }))
        }
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  const has = (program: string, ...args: string[]) => spawnSync(program, args).status === 0

  test.skipIf(!has('go', 'version'))('Go: every operation compiles, against the official SDK for v2, and is formatted', { timeout: 240_000 }, () => {
    const go = (...args: string[]) => execFileSync('go', args, { cwd: join(docs, '..'), encoding: 'utf8', stdio: 'pipe' })
    // Those without an SDK are of one kind: one contract stands for them.
    go('vet', ...['v2', 'iam'].map((c) => `./${join(dir, 'go', c).slice(join(docs, '..').length + 1)}/...`))
    expect(execFileSync('gofmt', ['-l', join(dir, 'go')], { encoding: 'utf8' })).toBe('')
  })
  test.skipIf(!has('python3', '--version'))('Python: every operation compiles', { timeout: 60_000 }, () => {
    execFileSync('python3', ['-c', 'import sys, pathlib\nfor p in pathlib.Path(sys.argv[1]).rglob("*.py"): compile(p.read_text(), str(p), "exec")', join(dir, 'python')], { stdio: 'pipe' })
  })
  test('curl: every operation is a command', () => {
    const script = join(mkdtempSync(join(tmpdir(), 'docs-')), 'all.sh')
    const parts = contracts.flatMap((c) => Object.values(contract(c).operations).map((o) => readFileSync(join(dir, 'curl', c, o.operationId.toLowerCase(), 'call.sh'), 'utf8')))
    writeFileSync(script, `if false; then\n${parts.join('\n')}\nfi\n`)
    execFileSync('bash', ['-n', script], { stdio: 'pipe' })
    for (const p of parts) expect(p).toMatch(/^curl -sS /)
    rmSync(dirname(script), { recursive: true })
  })
})

describe('search', () => {
  test('Chinese from one character up, words from their beginning, parts of names', { timeout: 60_000 }, async () => {
    vi.stubGlobal('location', { origin: 'https://desk.example.com' })
    const { build, excerpt, terms } = await import('./search')
    expect(terms('ECS续费 ListCases')).toEqual(expect.arrayContaining(['ecs', '续', '费', '续费', 'listcases', 'list', 'cases']))
    const zh = await build('zh-cn')
    const first = (q: string) => zh(q).map((h) => h.href)
    expect(first('签').length).toBeGreaterThan(2)
    expect(first('签名')[0]).toContain('calling-apis')
    expect(first('创建工单')[0]).toBe('/docs/api/v2/CreateCases')
    // By what it does in either language, and by what its description says.
    expect(first('催单')).toContain('/docs/api/v2/UpdateCases')
    expect(first('领取下一张')[0]).toBe('/docs/api/desk/ClaimQueueTicket')
    expect(first('claim next ticket')[0]).toBe('/docs/api/desk/ClaimQueueTicket')
    expect(first('恢复码')).toContain('/docs/api/web/RenewRecoveryCodes')
    expect(first('createcases')[0]).toBe('/docs/api/v2/CreateCases')
    expect(first('listcas').slice(0, 5)).toContain('/docs/api/v2/ListCases')
    expect(first('OSM.01010024').length).toBeGreaterThan(0)
    expect(first('zzzzqqqq')).toEqual([])
    expect(first(' 。')).toEqual([])
    const en = await build('en-us')
    expect(en('signing').slice(0, 5).map((h) => h.href)).toContainEqual(expect.stringContaining('calling-apis'))
    expect(en('urge').length).toBeGreaterThan(3)
    expect(excerpt('a'.repeat(100) + ' 工单已关闭', '关闭').filter((p) => p.hit)).toEqual([{ t: '关闭', hit: true }])
  })
})
