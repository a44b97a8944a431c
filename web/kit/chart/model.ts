// What a chart shows and what its table says: the same numbers, each with the
// address of what it counts.

import { cell } from '../csv'

export type Unit = 'count' | 'ms' | 'points' | 'percent'
/** Names of tokens; colour is never the only difference. */
export type Tone = 'new' | 'work' | 'you' | 'done' | 'off' | 'bad' | 'warn' | 'brand'

export interface Series {
  name: string
  tone: Tone
  values: (number | null)[]
  hrefs?: (string | undefined)[]
}
export interface Model {
  kind: 'bar' | 'line'
  labels: string[]
  series: Series[]
  unit: Unit
  stacked?: boolean
  sideways?: boolean // bars from left to right
}

export interface Cell {
  text: string
  href?: string
}
export interface Table {
  columns: string[] // the first one names the rows
  rows: { head: string; cells: Cell[] }[]
}

const steps: [ms: number, name: 'day' | 'hour' | 'minute' | 'second'][] = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1000, 'second'],
]
/** The unit in which durations up to `most` are easy to read: at least three of it. */
export function scale(most: number): { ms: number; name: 'day' | 'hour' | 'minute' | 'second' } {
  const [ms, name] = steps.find(([ms]) => most >= 3 * ms) ?? [1000, 'second']
  return { ms, name }
}

/** A table as CSV (RFC 4180); no cell is taken for a formula. */
export function csvOf(t: Table): string {
  const figure = (s: string) => (/^-[\d.,]+%?$/.test(s) ? `"${s}"` : cell(s)) // a negative number stays one
  return `\ufeff${[t.columns, ...t.rows.map((r) => [r.head, ...r.cells.map((c) => c.text)])].map((r) => r.map(figure).join(',')).join('\r\n')}\r\n`
}

/** How many letters of a name stand on a line beside bars of so many pixels. */
export const across = (wide: number): number => (wide < 460 ? 14 : 28)

/** A long name on several lines, broken at blanks or between Chinese characters. */
export function lines(name: string, width: number): string | string[] {
  const out: string[] = []
  for (const part of name.match(/[^\s\p{Script=Han}]+\s*|\p{Script=Han}|\s+/gu) ?? [name]) {
    const last = out.at(-1)
    const wide = (s: string) => [...s.trimEnd()].reduce((n, c) => n + (/\p{Script=Han}/u.test(c) ? 2 : 1), 0)
    if (last !== undefined && wide(last + part) <= width) out[out.length - 1] = last + part
    else out.push(part)
  }
  return out.length > 1 ? out.map((l) => l.trimEnd()) : name
}
