import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import deskEn from '../../texts/en-us'
import deskZh from '../../texts/zh-cn'
import peopleEn from '../people/texts/en-us'
import peopleZh from '../people/texts/zh-cn'
import en from './texts/en-us'
import zh from './texts/zh-cn'
import { byItself, nameIn } from './subject'

// What stands in such lines and is no kind of event: jobs, columns, placeholders.
const nothing = [
  'authorization.clock', 'diagnose.run', 'mail.read', 'notify.digest', 'notify.send', 'notify.urgent', 'queue.later', 'ticket.clock', 'ticket.notify', 'ticket.sla', 'ticket.turn', 'webhook.deliver',
  'a.published', 'a.version', 'd.creator', 'd.domain_id', 'services.kind', 'kind.en', 'kind.zh',
]

// What the server records must not stand in the audit as its bare kind.
test('every kind of event that the server records has words', () => {
  const root = new URL('../../../../internal/', import.meta.url)
  const kinds = new Set<string>()
  for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.go') || file.endsWith('_test.go') || file.includes('/oas/')) continue
    // Kinds stand where something is recorded or kept, or where one is named first.
    for (const line of readFileSync(new URL(file, root), 'utf8').split('\n')) {
      if (!/[Kk]ind|[Rr]ecord|keep[A-Z]|beside|answered|event[A-Z]/.test(line)) continue
      const own = file.startsWith('authorization/') ? /\brecord\(tx, .*?, (?:a|now), "([a-z.]+)"/.exec(line) : null // its first word is put in front
      if (own) kinds.add(`authorization.${own[1]}`)
      else for (const m of line.matchAll(/"([a-z_]+(?:\.[a-z_]+)+)"/g)) kinds.add(m[1] ?? '')
    }
  }
  // Steps of authorizations are put together of the part and the step.
  for (const k of [...kinds]) if (k.startsWith('ticket.authorization.') && k !== 'ticket.authorization.end') kinds.add(k.slice('ticket.'.length))
  for (const k of nothing) kinds.delete(k)
  for (const k of ['macro.create', 'snippet.change', 'rule.delete', 'view.update', 'ticket.authorization.confirm', 'authorization.session.open', 'sla.turned', 'ticket.wake']) expect(kinds).toContain(k)
  expect(kinds.size).toBeGreaterThan(180)
  const lacks = (desk: Record<string, string>, ...texts: Record<string, string>[]) =>
    [...kinds].filter((k) => (k.startsWith('ticket.') ? !(`h.${k.slice('ticket.'.length)}` in desk) : !texts.some((t) => `made.o.ev.${k}` in t || `made.p.ev.${k}` in t))).sort()
  expect(lacks(deskZh, zh, peopleZh)).toEqual([])
  expect(lacks(deskEn, en, peopleEn)).toEqual([])
})

test('a permission switch says which one and which way', () => {
  const source = readFileSync(new URL('../../../../internal/identity/switch.go', import.meta.url), 'utf8')
  const names = [...source.matchAll(/Switch += "([a-z_]+)"/g)].map((m) => m[1] ?? '')
  expect(names).toHaveLength(3)
  for (const texts of [peopleZh, peopleEn] as Record<string, string>[]) {
    const all = names.flatMap((n) => [texts[`made.p.sw.${n}.on`], texts[`made.p.sw.${n}.off`]])
    expect(all).not.toContain(undefined)
    expect(new Set(all).size).toBe(6)
  }
})

test('what is gone is called by its name in the reader’s language, else in the other one', () => {
  expect(nameIn({ name_zh: '一线', name_en: 'First line' }, 'zh-cn')).toBe('一线')
  expect(nameIn({ name_zh: '一线', name_en: 'First line' }, 'en-us')).toBe('First line')
  expect(nameIn({ name_zh: '', name_en: 'First line' }, 'zh-cn')).toBe('First line')
  expect(nameIn({ name: 'Harbour' }, 'zh-cn')).toBe('Harbour')
  expect(nameIn({ owner: 'u1' }, 'zh-cn')).toBe('')
  expect(nameIn(undefined, 'zh-cn')).toBe('')
})

test('a rule’s run happened by the rule that it is called by; its steps happened to a ticket', () => {
  expect(byItself({ subject: 'rule', via: { kind: 'rule' } })).toBe(true)
  expect(byItself({ subject: 'ticket', via: { kind: 'rule' } })).toBe(false)
  expect(byItself({ subject: 'rule' })).toBe(false)
})
