// Which field a refusal is about.
import type { Failure } from '../../../kit/errors'

// Where the server's sentences name the field: at their end, after the word for
// it, or first of all.
const spots = [/（参数：(\S+?)）$/, / \(field: (\S+?)\)$/, /参数 ([\w.[\]]+)/, /\b(?:parameter|field) ([\w.[\]]+)/i, /^([\w.[\]]+)[ ,:]/, /，([\w.[\]]+) /, /: ([\w.[\]]+) /]

/** The wire's name of the field that a refusal is about, of those a form shows when it names one of them; '' when it names none. */
export function fieldOf(f: Failure, known: ReadonlySet<string> = new Set()): string {
  const found = spots.flatMap((r) => r.exec(f.message)?.[1] ?? [])
  return found.find((x) => known.has(x)) ?? found[0] ?? ''
}
