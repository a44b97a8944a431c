// The difference of two texts, line by line.

export interface Line {
  kind: 'same' | 'added' | 'removed'
  text: string
}
const most = 3000 // lines of either side that are compared exactly

/** Lines of both texts in order; the shortest way from one to the other. */
export function difference(before: string, after: string): Line[] {
  const a = before === '' ? [] : before.replace(/\n$/, '').split('\n')
  const b = after === '' ? [] : after.replace(/\n$/, '').split('\n')
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  const same = (text: string): Line => ({ kind: 'same', text })
  return [...a.slice(0, head).map(same), ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)), ...a.slice(a.length - tail).map(same)]
}

function middle(a: string[], b: string[]): Line[] {
  const removed = a.map((text): Line => ({ kind: 'removed', text }))
  const added = b.map((text): Line => ({ kind: 'added', text }))
  if (a.length === 0 || b.length === 0 || a.length > most || b.length > most) return [...removed, ...added]
  // The longest common part, from the end.
  const width = b.length + 1
  const length = new Uint16Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--) length[i * width + j] = a[i] === b[j] ? (length[(i + 1) * width + j + 1] ?? 0) + 1 : Math.max(length[(i + 1) * width + j] ?? 0, length[i * width + j + 1] ?? 0)
  const lines: Line[] = []
  let [i, j] = [0, 0]
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      lines.push({ kind: 'same', text: a[i] ?? '' })
      i++
      j++
    } else if ((length[(i + 1) * width + j] ?? 0) >= (length[i * width + j + 1] ?? 0)) lines.push(removed[i++] as Line)
    else lines.push(added[j++] as Line)
  }
  return [...lines, ...removed.slice(i), ...added.slice(j)]
}

export interface Piece {
  lines: Line[]
  /** So many equal lines are left out here. */
  hidden: number
}

/** The lines with long equal stretches folded; `around` equal lines stay beside each change. */
export function folded(lines: Line[], around = 3): Piece[] {
  const pieces: Piece[] = []
  let run: Line[] = []
  const flush = (last: boolean) => {
    const keepBefore = pieces.length === 0 ? 0 : around
    const keepAfter = last ? 0 : around
    if (run.length > keepBefore + keepAfter + 1) {
      if (keepBefore > 0) pieces.push({ lines: run.slice(0, keepBefore), hidden: 0 })
      pieces.push({ lines: [], hidden: run.length - keepBefore - keepAfter })
      if (keepAfter > 0) pieces.push({ lines: run.slice(run.length - keepAfter), hidden: 0 })
    } else if (run.length > 0) pieces.push({ lines: run, hidden: 0 })
    run = []
  }
  for (const l of lines) {
    if (l.kind === 'same') run.push(l)
    else {
      flush(false)
      pieces.push({ lines: [l], hidden: 0 })
    }
  }
  flush(true)
  return pieces
}
