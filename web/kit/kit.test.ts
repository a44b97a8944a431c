import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import { asFailure, Failure, unwrap } from './errors'
import { fill, language, speak } from './i18n.svelte'
import { diff } from '../console/agreements/diff'
import { match, nameOf, shortcuts, single, useKeys, type Shortcut } from './keys.svelte'
import { parse, parseInline } from './markdown'
import { beginner } from './palette/words'
import { soundsLike } from './pinyin'
import { prefs } from './prefs.svelte'
import type { Session } from './session.svelte'
import { safeNext } from './signin'
import { detailOf, say, sayAll } from './text'
import { countdown, span, spanShort } from './span'
import { pastedName, refuse } from './uploads.svelte'
import { zoneName } from './zone'

const root = join(import.meta.dirname, '..')

describe('texts', async () => {
  // Every folder with both catalogues; the desk's own has a test beside it.
  const folders = ['kit', 'login', 'console', 'desk', 'docs']
    .flatMap((d) => readdirSync(join(root, d), { recursive: true, encoding: 'utf8' }).map((f) => join(d, f)))
    .filter((f) => f.endsWith('/zh-cn.ts') && f !== join('desk', 'texts', 'zh-cn.ts'))
    .map((f) => dirname(f))
  for (const folder of folders) {
    const [zh, en] = await Promise.all(['zh-cn', 'en-us'].map(async (l) => ((await import(join(root, folder, `${l}.ts`))) as { default: Record<string, string> }).default))
    test(`${folder}: the same keys, the same places to fill, no other language's words`, () => {
      expect(Object.keys(en ?? {}).sort()).toEqual(Object.keys(zh ?? {}).sort())
      const places = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort().join()
      for (const key of Object.keys(zh ?? {})) {
        expect(places(en?.[key] ?? ''), key).toBe(places(zh?.[key] ?? ''))
        expect(en?.[key], key).not.toMatch(/\p{Script=Han}/u)
        expect(en?.[key]?.trim(), key).not.toBe('')
      }
    })
  }
  test('one word for each thing (docs/GLOSSARY.md)', () => {
    // What readers took for another thing, and the word that it is.
    const rejected: Record<string, string> = { 首次答复: '首次响应', 后续答复: '后续响应', 片段: '常用语', 短语: '常用语', 话术: '常用语', 问题级别: '严重程度', 待处理: '待受理', 待分配: '未分派', 分配: '分派', 指派: '分派', 转交: '转派', 加急: '催单', 催办: '催单', 租户: '客户', 账户: '账号', 帐号: '账号', 帐户: '账号', 法律保留: '保全', 影子: '旁观', 捕获箱: '捕获器', 达标: '按时', 逾期: '超时', 违约: '超时' }
    for (const folder of [...folders, 'desk/texts'])
      for (const m of readFileSync(join(root, folder, 'zh-cn.ts'), 'utf8').matchAll(/^ {2}'([^']+)': '(.*)',$/gm))
        for (const [bad, good] of Object.entries(rejected)) expect(m[2], `${folder} ${m[1]}: ${good}`).not.toContain(bad)
    for (const folder of [...folders, 'desk/texts'])
      for (const m of readFileSync(join(root, folder, 'en-us.ts'), 'utf8').matchAll(/^ {2}'([^']+)': (.*),$/gm)) expect(m[2], `${folder} ${m[1]}: overdue, in time`).not.toMatch(/\b(?:late|missed|breached|met)\b/i)
    // What the shell, the API's reference, the default catalogue and the server's own texts say, too.
    const others = ['等待处理', '文本片段', '分配消息', '分配比例', '转交给您的工单', '用户帐号'] // other things; words of an agreement that people signed; the vendor's name of a product
    const up = (...path: string[]) => join(root, '..', ...path)
    const named = (folder: string, end: RegExp) => readdirSync(up(folder), { recursive: true, encoding: 'utf8' }).filter((f) => end.test(f)).map((f) => join(folder, f))
    const strings = (text: string) => (text.match(/"(?:[^"\\\n]|\\.)*"|`[^`]*`/g) ?? []).join('\n')
    const scanned: [string, (text: string) => string][] = [
      ...named('api/zh', /\.tsv$/).map((f): [string, (text: string) => string] => [f, (text) => text.replace(/^[^\t\n]*\t/gm, '')]),
      ...named('internal/catalog/default', /\.yaml$/).map((f): [string, (text: string) => string] => [f, (text) => text]),
      ['cmd/casemate/help.zh-cn.tsv', (text) => text],
      ...[...named('internal', /\.go$/), ...named('cmd', /\.go$/)]
        .filter((f) => !/_test\.go$|\/(oas|\w*test)\/|notify\/dsn\.go$/.test(f)) // dsn.go knows what other mail servers say
        .map((f): [string, (text: string) => string] => [f, strings]),
    ]
    expect(scanned.length).toBeGreaterThan(100)
    for (const [file, texts] of scanned) {
      let text = texts(readFileSync(up(file), 'utf8'))
      for (const o of others) text = text.replaceAll(o, '')
      for (const [bad, good] of Object.entries(rejected)) expect(text.split('\n').filter((line) => line.includes(bad)), `${file} ${bad}: ${good}`).toEqual([])
    }
  })
  test('texts that are loaded together have keys of their own', () => {
    const all = [...folders, 'desk/texts'].flatMap((folder) => [...readFileSync(join(root, folder, 'zh-cn.ts'), 'utf8').matchAll(/^ {2}'([^']+)':/gm)].map((m) => ({ folder, key: m[1] ?? '' })))
    const section = (folder: string) => /^(kit|login|console|desk)/.exec(folder)?.[0]
    for (const page of ['login', 'console', 'desk']) {
      const keys = all.filter((x) => ['kit', page].includes(section(x.folder) ?? '')).map((x) => x.key)
      expect(keys.filter((k, i) => keys.indexOf(k) !== i), page).toEqual([])
    }
  })
  test('every key is used', () => {
    const files = ['kit', 'login', 'console', 'desk', 'docs'].flatMap((d) => {
      try {
        return readdirSync(join(root, d), { recursive: true, encoding: 'utf8' }).map((f) => join(d, f))
      } catch {
        return []
      }
    })
    const source = files.filter((f) => /\.(ts|svelte)$/.test(f) && !/(texts|more)\/|test\.ts$|\.d\.ts$/.test(f)).map((f) => readFileSync(join(root, f), 'utf8')).join('\n')
    const made = /^(error|state|auth|allow|kit\.theme|kit\.upload|agreements|login\.error|notices|column|check|admin\.you|form\.(zh|en|missing)|diff|plan\.(action|effect|clocks)|day|kind|case|lim|tpl|side|party|whom|mode|by|op|field|event|run|sni\.kind|ver\.kind|cat\.(length|min|max|required|sensitive|hidden)|made|chart\.unit|board\.(f|p|hint|v)|know\.(lang|f|part|do|done|tab|import\.do)|contract|guide|ask\.(kind|give|right|text|template)|approvals|view\.(sort|shared)|audit\.(what|object)|labels\.pale)(\.|$)/ // put together at run time
    for (const folder of folders)
      for (const m of readFileSync(join(root, folder, 'zh-cn.ts'), 'utf8').matchAll(/^ {2}'([^']+)':/gm)) {
        const key = m[1] ?? ''
        if (!made.test(key)) expect(source.includes(`'${key}'`), key).toBe(true)
      }
  })
})

test('fill: values, numbers, plurals', () => {
  expect(fill('{n} ticket|{n} tickets', { n: 1 }, 'en-GB')).toBe('1 ticket')
  expect(fill('{n} ticket|{n} tickets', { n: 1200 }, 'en-GB')).toBe('1,200 tickets')
  expect(fill('{a} und {b}', { a: 'x' }, 'en-GB')).toBe('x und {b}')
})

describe('unwrap', () => {
  const answer = (body: unknown, status: number, headers: Record<string, string> = {}) => {
    const response = new Response(null, { status, headers })
    return Promise.resolve(response.ok ? { data: body, response } : { error: body, response })
  }
  test('a code inside a 200 is a failure', async () => {
    await expect(unwrap(answer({ error_code: 'OSM.01010015', error_msg: 'gone' }, 200))).rejects.toMatchObject({ code: 'OSM.01010015', status: 400, message: 'gone' })
    await expect(unwrap(answer({ error_code: '', incident_id: 'TS1' }, 200))).resolves.toMatchObject({ incident_id: 'TS1' })
  })
  test('a status tells, with the request and the wait', async () => {
    await expect(unwrap(answer({ error_code: 'OSM.01010024', error_msg: 'slow' }, 429, { 'Retry-After': '42', 'X-Request-Id': 'abc' }))).rejects.toMatchObject({ retryAfter: 42, request: 'abc', passing: true })
    await expect(unwrap(answer(undefined, 502))).rejects.toMatchObject({ code: 'HTTP 502', passing: true })
    await expect(unwrap(answer({ error_code: 'OSM.0004', error_msg: '' }, 501))).rejects.toMatchObject({ passing: false })
  })
  test('no network, no answer in time', () => {
    expect(asFailure(new TypeError('failed to fetch')).code).toBe('offline')
    expect(asFailure(new DOMException('', 'TimeoutError')).code).toBe('slow')
    expect(asFailure(new Failure('X', 400, ''))).toMatchObject({ code: 'X' })
  })
})

test('a conflict is told by the server, not as another\'s change', async () => {
  vi.stubGlobal('document', { documentElement: {} })
  await speak('zh-cn')
  vi.unstubAllGlobals()
  const persons = new Failure('OSM.01010048', 409, '工单不属于同一人')
  expect(sayAll(persons)).toBe('工单不属于同一人')
  expect([say(persons), detailOf(persons)]).toEqual(['工单不属于同一人', ''])
  expect(say(new Failure('OSM.0003', 409, '配置已被他人更改：a.yaml；请重新查看差异'))).toBe('配置已被他人更改：a.yaml；请重新查看差异')
  expect(sayAll(new Failure('OSM.01010002', 409, '工单已被他人更新，请刷新后重试（参数：version）'))).toBe('现在不能进行这项操作。 工单已被他人更新，请刷新后重试')
  expect(say(new Failure('HTTP 409', 409, ''))).toBe('操作没有成功。')
})

test('keys: names, sequences, conditions', () => {
  const key = (key: string, more: Partial<KeyboardEvent> = {}) => nameOf({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more })
  expect(key('?', { shiftKey: true })).toBe('?')
  expect(key('K', { metaKey: true })).toBe('ctrl+k')
  expect(key('Enter', { shiftKey: true, ctrlKey: true })).toBe('ctrl+shift+enter')
  const s = (keys: string, when?: () => boolean): Shortcut => ({ keys, label: keys, group: '', run: () => undefined, when })
  const list = [s('g t'), s('t'), s('x', () => false), s('j')]
  expect(match(list, 't', 0).hit?.keys).toBe('t')
  expect(match(list, 'g', 10)).toMatchObject({ waits: true })
  expect(match(list, 't', 500).hit?.keys).toBe('g t')
  match(list, 'g', 1000)
  expect(match(list, 't', 5000).hit?.keys).toBe('t') // too late for the sequence
  expect(match(list, 'x', 6000).hit).toBeUndefined()
})

test('markdown: blocks and parts, nothing else', () => {
  expect(parse('a\nb\n\n- one\n- two\n\n```\n<b>x</b>\n```\n> q')).toEqual([
    { kind: 'p', lines: [[{ kind: 'text', text: 'a' }], [{ kind: 'text', text: 'b' }]] },
    { kind: 'list', ordered: false, items: [[{ kind: 'text', text: 'one' }], [{ kind: 'text', text: 'two' }]] },
    { kind: 'code', text: '<b>x</b>' },
    { kind: 'quote', lines: [[{ kind: 'text', text: 'q' }]] },
  ])
  expect(parse('```\nnot closed')).toEqual([{ kind: 'code', text: 'not closed' }])
  expect(parseInline('see https://example.com/a, [x](javascript:alert(1)) `c` **b**')).toEqual([
    { kind: 'text', text: 'see ' },
    { kind: 'link', text: 'https://example.com/a', href: 'https://example.com/a' },
    { kind: 'text', text: ', [x](javascript:alert(1)) ' },
    { kind: 'code', text: 'c' },
    { kind: 'text', text: ' ' },
    { kind: 'strong', text: 'b' },
  ])
})

test('uploads: what is refused before it is sent, and names of pasted pictures', () => {
  const limits = { count: 2, megabytes: 1, types: ['png', 'log'] }
  expect(refuse(limits, { name: 'a.PNG', size: 1024 * 1024 }, 1)).toBeUndefined()
  expect(refuse(limits, { name: 'a.png', size: 1024 * 1024 + 1 }, 0)).toBe('size')
  expect(refuse(limits, { name: 'a.exe', size: 1 }, 0)).toBe('type')
  expect(refuse(limits, { name: 'png', size: 1 }, 0)).toBe('type')
  expect(refuse(limits, { name: 'a.log', size: 0 }, 0)).toBe('empty')
  expect(refuse(limits, { name: 'a.log', size: 1 }, 2)).toBe('count')
  expect(pastedName('image/jpeg', new Date(2026, 10, 5, 9, 8, 7))).toBe('pasted-20261105-090807.jpg')
})

test('what changed between two texts: lines, and words within a line', () => {
  const before = '第一条 您可以提交工单。\n第二条 旧的内容。\n第三条 不变。\n'
  const after = '第一条 您可以提交和查询工单。\n第三条 不变。\n第四条 新增。\n'
  const pieces = diff(before, after, 'zh-CN')
  expect(pieces.filter((p) => p.kind !== 'new').map((p) => p.text).join('')).toBe(before)
  expect(pieces.filter((p) => p.kind !== 'gone').map((p) => p.text).join('')).toBe(after)
  expect(pieces.find((p) => p.kind === 'new')?.text).toBe('和查询')
  expect(diff('a', 'a', 'en')).toEqual([{ kind: 'same', text: 'a' }])
  expect(diff('', 'x', 'en').filter((p) => p.text !== '')).toEqual([{ kind: 'new', text: 'x' }])
})

test('pinyin: full, initials, mixed, readings of one character, Latin parts', () => {
  for (const [text, words] of [
    ['弹性云服务器', ['tanxingyunfuwuqi', 'txyfwq', 'yunfwq', 'tanxyun', 'fuwu', 'dan']],
    ['对象存储 OBS', ['duixiang', 'dxcc', 'obs', 'cunchuobs']],
    ['重置密码', ['chongzhi', 'czmm']],
  ] as const)
    for (const w of words) expect(soundsLike(text, w), `${text} ${w}`).toBe(true)
  for (const w of ['', 'xyz', '云', 'yunyun', 'fwqq']) expect(soundsLike('弹性云服务器', w), w).toBe(false)
})

test('the way out is found by how its name begins, by no other word in it', () => {
  for (const w of ['退', '退出', '退出登录', ' 退出 ', 'tuichu', 'tcdl', 'TUICHU', 'tui chu']) expect(beginner(w)('退出登录'), w).toBe(true)
  for (const w of ['', ' ', '登录', 'denglu', 'dl', '登录 退出', 'chudl']) expect(beginner(w)('退出登录'), w).toBe(false)
  for (const w of ['sign', 'Sign out', 'sign  out']) expect(beginner(w)('Sign out'), w).toBe(true)
  for (const w of ['out', 'in', 'log', 'sign in']) expect(beginner(w)('Sign out'), w).toBe(false)
})

test('keys that were given others act by those, and only by those', () => {
  prefs.remap = { j: 'n', 'g h': 'g x' }
  const done: string[] = []
  const end = useKeys(() => [{ keys: 'j', label: '', group: '', run: () => done.push('j') }, { keys: 'g h', label: '', group: '', run: () => done.push('h') }])
  expect(shortcuts().map((s) => s.keys)).toEqual(['n', 'g x'])
  expect(match(shortcuts(), 'j', 20_000).hit).toBeUndefined()
  match(shortcuts(), 'n', 21_000).hit?.run()
  match(shortcuts(), 'g', 22_000)
  match(shortcuts(), 'x', 22_100).hit?.run()
  expect(done).toEqual(['j', 'h'])
  end()
  prefs.remap = {}
  expect([single('j'), single('g h'), single('ctrl+k'), single('enter')]).toEqual([true, true, false, false])
})

test.each([
  ['console', 'screens/Me.svelte'],
  ['desk', 'screens/Account.svelte'],
])('%s: every single key it listens to can be given another in the own account', (section, list) => {
  const keysOf = (text: string) => [...text.matchAll(/\{\s*keys: '([^']+)',/g)].map((m) => m[1] ?? '').concat([...text.matchAll(/letter: '(.)'/g)].map((m) => `g ${m[1] ?? ''}`))
  const own = join(root, section, list)
  const listed = keysOf(readFileSync(own, 'utf8'))
  const heard = readdirSync(join(root, section), { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.svelte') && join(root, section, f) !== own)
    .flatMap((f) => keysOf(readFileSync(join(root, section, f), 'utf8')).filter(single).map((k) => ({ k, f })))
  expect(heard.length).toBeGreaterThan(10)
  expect(heard.filter(({ k }) => !listed.includes(k))).toEqual([])
  expect(listed.filter((k) => k !== '?' && !heard.some((h) => h.k === k)), 'nobody listens to it').toEqual([])
})

test('spans and countdowns', () => {
  expect(countdown(61_000)).toBe('1:01')
  expect(countdown(-5)).toBe('0:00')
  // Never without its units: 32:32 may be hours or minutes.
  const zh = language() === 'zh-cn'
  const all = [5, 125, 32 * 60 + 32, 24 * 60, 73 * 60].map((m) => m * 60_000)
  expect(all.map(span)).toEqual(zh ? ['5 分钟', '2 小时 5 分', '1 天 8 小时', '1 天', '3 天'] : ['5 min', '2 h 5 min', '1 d 8 h', '1 d', '3 d'])
  expect([125, 227].map((m) => spanShort(m * 60_000))).toEqual(zh ? ['2 小时 5 分', '3 小时'] : ['2 h 5 min', '3 h'])
})

test('next stays in the own section of this site', () => {
  const s = (kind: Session['kind']) => ({ kind }) as Session
  expect(safeNext('/console/tickets?status=1', s('customer'))).toBe('/console/tickets?status=1')
  for (const bad of [null, '', '//evil.example', 'https://evil.example/console', '/desk', '/consoles', '/login']) expect(safeNext(bad, s('customer'))).toBe('/console')
  expect(safeNext('/console', s('engineer'))).toBe('/desk')
})

// Run behind a build: first loads as a browser makes them, gzip.
describe('budgets', () => {
  const dist = join(root, 'dist')
  const page = (name: string) => {
    try {
      return readFileSync(join(dist, `${name}.html`), 'utf8')
    } catch {
      return ''
    }
  }
  const size = (file: string) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length
  // The texts of one language come with the first load, too.
  const late = (name: string) =>
    readdirSync(join(dist, 'assets'))
      .filter((f) => /^zh-cn-.*\.js$/.test(f))
      .map((f) => `assets/${f}`)
      .filter((f) => first(name).some((g) => readFileSync(join(dist, g), 'utf8').includes(f.slice('assets/'.length))))
  const first = (name: string) => [...page(name).matchAll(/(?:src|href)="\/((?:assets\/)?[^"]+\.(?:js|css))"/g)].map((m) => m[1] ?? '')
  const ci = process.env['CI'] === 'true' // there a skip would be a failure nobody sees
  for (const [name, most] of [
    ['login', 60_000],
    ['console', 60_000],
    ['docs', 65_000],
    ['desk', 110_000],
  ] as const)
    test.skipIf(page(name) === '' && !ci)(`${name} <= ${most / 1000} kB`, () => {
      expect(page(name), 'the pages are not built').not.toBe('')
      const files = [...new Set([...first(name), ...late(name)])]
      const sum = files.reduce((n, f) => n + size(f), 0)
      console.log(`${name}: ${sum} bytes of ${most}`)
      expect(sum, files.map((f) => `${f} ${size(f)}`).join('\n')).toBeLessThanOrEqual(most)
    })
  test.skipIf(page('console') === '' && !ci)('no chunk > 100 kB', () => {
    for (const f of readdirSync(join(dist, 'assets')).filter((f) => /\.(js|css)$/.test(f))) expect(size(`assets/${f}`), f).toBeLessThanOrEqual(100_000)
  })
})

test('a zone of a fixed offset is told the way people count it', () => {
  expect(['Etc/GMT-8', 'Etc/GMT+3', 'GMT+8', 'Asia/Shanghai', 'Etc/UTC'].map(zoneName)).toEqual(['GMT+8', 'GMT-3', 'GMT+8', 'Asia/Shanghai', 'Etc/UTC'])
})
