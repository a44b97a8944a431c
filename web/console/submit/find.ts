// What the words of the search on the submit page find: a product, a problem,
// or both at once, by their names in either language and, in letters, as Chinese
// sounds. All names are judged anew with each key: what a name is, is kept for
// all keys, and what it has of the words is found once in each.

export type Sounds = (text: string, query: string) => boolean

const fold = (s: string) => s.normalize('NFKC').toLowerCase().trim()
const han = /\p{Script=Han}/u

/** The function with its answers kept. */
function kept<V>(f: (text: string) => V): (text: string) => V {
  const all = new Map<string, V>()
  return (text) => {
    const known = all.get(text)
    if (known !== undefined) return known
    const v = f(text)
    all.set(text, v)
    return v
  }
}

/** A name of the catalogue as it is compared, and its signs. */
const folded = kept((text) => {
  const f = fold(text)
  return { text: f, signs: [...f] }
})

/** What is found by `words`: `one` of a thing's texts, `both` of a product's and a problem's. */
export function finder(words: string, sounds?: Sounds) {
  const whole = fold(words)
  const parts = whole.split(/\s+/).filter(Boolean)
  const holds = (part: string) => {
    const heard = part.replace(/[\s']/g, '')
    return kept((text) => folded(text).text.includes(part) || (part.length > 1 && (sounds?.(text, heard) ?? false)))
  }
  const all = holds(whole)
  const each = parts.length > 1 ? parts.map(holds) : [all]
  const has = (held: (text: string) => boolean, texts: readonly string[]) => texts.some((x) => held(x))
  const one = (texts: readonly string[]) => whole !== '' && (has(all, texts) || (parts.length > 1 && each.every((x) => has(x, texts))))

  const signs = [...whole]
  const pairs = pairsOf(signs)
  const mine = kept((text) => longest(signs, pairs, folded(text).signs))

  /** How much of the words is found when some are the product's and others the problem's: 0 to 1, 0 below three fifths. */
  function both(product: readonly string[], problem: readonly string[]): number {
    if (one(product) || one(problem)) return 0
    let share: number
    if (parts.length > 1) {
      const [a, b] = [each.map((x) => has(x, product)), each.map((x) => has(x, problem))]
      // "in" and "to" are in many names.
      const only = (x: boolean[], y: boolean[]) => x.some((yes, i) => yes && y[i] !== true && (han.test(parts[i] ?? '') || (parts[i] ?? '').length > 2))
      if (!only(a, b) || !only(b, a)) return 0
      share = parts.filter((_, i) => a[i] === true || b[i] === true).length / parts.length
    } else {
      // Chinese has no blanks: the longest part that a name of the product has, then of the rest that one of the problem has.
      if (!han.test(whole)) return 0
      const its = product.map(mine).reduce(longer, nothing)
      if (its.n === 0) return 0
      const rest = problem.map((x) => longest(signs, pairs, folded(x).signs, its)).reduce(longer, nothing)
      if (rest.n === 0) return 0
      share = (its.n + rest.n) / signs.length
    }
    return share < 0.6 ? 0 : share
  }
  return { one, both }
}

/** A part of the words: how many signs from which on. */
type Part = { at: number; n: number }
const nothing: Part = { at: 0, n: 0 }
/** The longer part, of two as long the one that comes first. */
const longer = (a: Part, b: Part) => (b.n > a.n || (b.n === a.n && b.at < a.at) ? b : a)

/** Where each two signs that follow each other are in the words. */
function pairsOf(signs: readonly string[]): Map<string, number[]> {
  const pairs = new Map<string, number[]>()
  for (let i = 0; i + 1 < signs.length; i++) {
    const pair = `${signs[i]}${signs[i + 1]}`
    const at = pairs.get(pair)
    if (at) at.push(i)
    else pairs.set(pair, [i])
  }
  return pairs
}

/** The longest part of the words, from two signs on, that a name has too; what is taken of them is left out. */
function longest(signs: readonly string[], pairs: Map<string, number[]>, name: readonly string[], taken = nothing): Part {
  let best = nothing
  for (let j = 0; j + 1 < name.length; j++)
    for (const at of pairs.get(`${name[j]}${name[j + 1]}`) ?? []) {
      // Words that begin before what is taken end before it; those behind it go to the end.
      const end = at < taken.at ? taken.at : at < taken.at + taken.n ? at : signs.length
      let n = 0
      while (at + n < end && j + n < name.length && signs[at + n] === name[j + n]) n++
      if (n > 1) best = longer(best, { at, n })
    }
  return best
}
