import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { baseOf, both, carried, differing, sha256 } from './begun'

test('hashes are those of the server, whatever the length', () => {
  const text = 'a产品\u{1f600}\n'.repeat(60)
  for (const s of ['', 'abc', text, 'x'.repeat(100_000), ...Array.from({ length: 140 }, (_, n) => 'y'.repeat(n))]) expect(sha256(s), String(s.length)).toBe(createHash('sha256').update(s).digest('hex'))
})

describe('a draft beside what others changed meanwhile', () => {
  const from = { 'catalog/a.yaml': 'a', 'catalog/b.yaml': 'b', 'catalog/c.yaml': 'c' }
  const mine = { ...from, 'catalog/a.yaml': 'A', 'catalog/new.yaml': 'n' }
  test('other files: mine go onto theirs, and nothing of theirs is taken back', () => {
    const now = { 'catalog/a.yaml': 'a', 'catalog/b.yaml': 'B', 'catalog/theirs.yaml': 't' }
    expect(differing(from, now)).toEqual(['catalog/b.yaml', 'catalog/c.yaml', 'catalog/theirs.yaml'])
    expect(carried(from, mine, now)).toEqual({ 'catalog/a.yaml': 'A', 'catalog/b.yaml': 'B', 'catalog/new.yaml': 'n', 'catalog/theirs.yaml': 't' })
  })
  test('the same file, each its own way: nothing is carried', () => {
    const now = { ...from, 'catalog/a.yaml': 'x' }
    expect(both(from, mine, now)).toEqual(['catalog/a.yaml'])
    expect(carried(from, mine, now)).toBeUndefined()
    expect(carried(from, mine, { ...from, 'catalog/new.yaml': 'other' })).toBeUndefined()
    const { 'catalog/a.yaml': _, ...gone } = from
    expect(carried(from, mine, gone)).toBeUndefined()
  })
  test('the same change by both is none to carry', () => {
    expect(carried(from, mine, { ...from, 'catalog/a.yaml': 'A' })).toEqual(mine)
  })
  test('the base is that of the beginning, not of the moment of applying', () => {
    const plan = { 'catalog/a.yaml': 'hash of now', 'catalog/theirs.yaml': 'hash of theirs', 'agreements/x.yml': 'y', 'teams.yaml': 'teams', 'README.md': 'readme' }
    const base = baseOf(plan, { 'catalog/a.yaml': 'a' })
    expect(base).toEqual({ 'catalog/a.yaml': createHash('sha256').update('a').digest('hex'), 'teams.yaml': 'teams', 'README.md': 'readme' })
  })
})
