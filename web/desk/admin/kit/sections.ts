// The names of the configuration's sections.
import { own } from '../places'

const names: Record<string, readonly [string, string]> = {}

/** A section as people call it; unknown ones by their own name. */
export function sectionName(id: string): string {
  const n = names[id]
  return n === undefined ? id.replace(/^catalog\./, '') : own(n)
}
