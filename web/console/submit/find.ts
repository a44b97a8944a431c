// What the words of the search on the submit page find: a product, a problem,
// or both at once, by their names in either language and, in letters, as Chinese
// sounds.

export type Sounds = (text: string, query: string) => boolean

const fold = (s: string) => s.normalize('NFKC').toLowerCase().trim()
const han = /\p{Script=Han}/u

/** What is found by `words`: `one` of a thing's texts, `both` of a product's and a problem's. */
export function finder(words: string, sounds?: Sounds) {
  const whole = fold(words)
  const parts = whole.split(/\s+/).filter(Boolean)
  const has = (part: string, texts: readonly string[]) => texts.some((x) => fold(x).includes(part) || (part.length > 1 && (sounds?.(x, part.replace(/[\s']/g, '')) ?? false)))
  const one = (texts: readonly string[]) => whole !== '' && (has(whole, texts) || parts.every((w) => has(w, texts)))

  /** How much of the words is found when some are the product's and others the problem's: 0 to 1, 0 below three fifths. */
  function both(product: readonly string[], problem: readonly string[]): number {
    if (one(product) || one(problem)) return 0
    let share: number
    if (parts.length > 1) {
      const [a, b] = [parts.map((w) => has(w, product)), parts.map((w) => has(w, problem))]
      // "in" and "to" are in many names.
      const only = (x: boolean[], y: boolean[]) => x.some((yes, i) => yes && y[i] !== true && (han.test(parts[i] ?? '') || (parts[i] ?? '').length > 2))
      if (!only(a, b) || !only(b, a)) return 0
      share = parts.filter((_, i) => a[i] === true || b[i] === true).length / parts.length
    } else {
      // Chinese has no blanks: the longest part that a name of the product has, then of the rest that one of the problem has.
      if (!han.test(whole)) return 0
      const [mine, rest] = longest(whole, product)
      const [its] = longest(rest, problem)
      if (mine === 0 || its === 0) return 0
      share = (mine + its) / [...whole].length
    }
    return share < 0.6 ? 0 : share
  }
  return { one, both }
}

/** How long the longest part of the words is that one of the texts has, from two signs on, and what is left without it. */
function longest(words: string, texts: readonly string[]): [number, string] {
  const signs = [...words]
  for (let n = signs.length; n >= 2; n--)
    for (let i = 0; i + n <= signs.length; i++) {
      const part = signs.slice(i, i + n).join('')
      if (!part.includes(' ') && texts.some((x) => fold(x).includes(part))) return [n, `${signs.slice(0, i).join('')} ${signs.slice(i + n).join('')}`]
    }
  return [0, words]
}
