// What changed between two versions of a text: by lines, and within lines that
// were changed by words.
export interface Piece {
  kind: 'same' | 'gone' | 'new'
  text: string
}

const most = 4_000_000 // cells of a table; beyond it a hunk is shown whole

/** Longest common subsequence of two lists, as pieces joined by kind. */
function compare(a: string[], b: string[]): Piece[] {
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  const [x, y] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)]
  const out: Piece[] = []
  const put = (kind: Piece['kind'], text: string) => {
    const last = out.at(-1)
    if (last?.kind === kind) last.text += text
    else if (text !== '') out.push({ kind, text })
  }
  put('same', a.slice(0, head).join(''))
  if (x.length * y.length > most) {
    put('gone', x.join(''))
    put('new', y.join(''))
  } else {
    const w = y.length + 1
    const table = new Uint32Array((x.length + 1) * w)
    for (let i = x.length - 1; i >= 0; i--) for (let j = y.length - 1; j >= 0; j--) table[i * w + j] = x[i] === y[j] ? (table[(i + 1) * w + j + 1] ?? 0) + 1 : Math.max(table[(i + 1) * w + j] ?? 0, table[i * w + j + 1] ?? 0)
    let [i, j] = [0, 0]
    while (i < x.length || j < y.length) {
      if (i < x.length && j < y.length && x[i] === y[j]) {
        put('same', x[i] ?? '')
        i++
        j++
      } else if (j >= y.length || (i < x.length && (table[(i + 1) * w + j] ?? 0) >= (table[i * w + j + 1] ?? 0))) put('gone', x[i++] ?? '')
      else put('new', y[j++] ?? '')
    }
  }
  put('same', a.slice(a.length - tail).join(''))
  return out
}

const lines = (text: string) => text.split(/(?<=\n)/)
function words(text: string, locale: string): string[] {
  return [...new Intl.Segmenter(locale, { granularity: 'word' }).segment(text)].map((s) => s.segment)
}

export function diff(before: string, after: string, locale: string): Piece[] {
  const out: Piece[] = []
  const put = (p: Piece) => {
    const last = out.at(-1)
    if (last?.kind === p.kind) last.text += p.text
    else out.push({ ...p })
  }
  const hunks = compare(lines(before), lines(after))
  for (let i = 0; i < hunks.length; i++) {
    const [h, n] = [hunks[i], hunks[i + 1]]
    if (h === undefined) continue
    if (n !== undefined && h.kind !== 'same' && n.kind !== 'same') {
      const [gone, fresh] = h.kind === 'gone' ? [h, n] : [n, h]
      compare(words(gone.text, locale), words(fresh.text, locale)).forEach(put)
      i++
    } else put(h)
  }
  return out
}
