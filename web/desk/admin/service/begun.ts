// A draft of files beside what is in force by now: who changed what since it began.

type Files = Record<string, string>
const paths = (...all: Files[]) => [...new Set(all.flatMap(Object.keys))].sort()

/** The files that differ, also those that only one side has. */
export const differing = (a: Files, b: Files): string[] => paths(a, b).filter((f) => a[f] !== b[f])

/** The files that both sides changed since `from`, each its own way. */
export const both = (from: Files, mine: Files, now: Files): string[] => differing(from, mine).filter((f) => now[f] !== from[f] && now[f] !== mine[f])

/** My changes on the present files; undefined when a file was changed by both. */
export function carried(from: Files, mine: Files, now: Files): Files | undefined {
  if (both(from, mine, now).length > 0) return undefined
  const out = { ...now }
  for (const f of differing(from, mine)) {
    const text = mine[f]
    if (text === undefined) delete out[f]
    else out[f] = text
  }
  return out
}

/**
 * What the server shall still find in force when it applies a draft: the files
 * the draft began from, and of all others what the plan was made against.
 */
export function baseOf(plan: Record<string, string>, from: Files): Record<string, string> {
  const out: Record<string, string> = {}
  for (const [path, hash] of Object.entries(plan)) if (!/^(catalog|agreements)\/.*\.ya?ml$/.test(path)) out[path] = hash
  for (const [path, text] of Object.entries(from)) out[path] = sha256(text)
  return out
}

/** SHA-256 of a text in hex (FIPS 180-4). The browser's own is there over TLS only. */
export function sha256(text: string): string {
  const data = new TextEncoder().encode(text)
  const size = Math.ceil((data.length + 9) / 64) * 64
  const padded = new Uint8Array(size)
  padded.set(data)
  padded[data.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(size - 8, Math.floor(data.length / 2 ** 29))
  view.setUint32(size - 4, data.length << 3)
  const h = Uint32Array.from(first)
  const w = new Uint32Array(64)
  const turn = (x: number, n: number) => (x >>> n) | (x << (32 - n))
  for (let at = 0; at < size; at += 64) {
    for (let i = 0; i < 64; i++) {
      if (i < 16) w[i] = view.getUint32(at + i * 4)
      else {
        const [a, b] = [w[i - 15] ?? 0, w[i - 2] ?? 0]
        w[i] = (w[i - 16] ?? 0) + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + (w[i - 7] ?? 0) + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10))
      }
    }
    let [a, b, c, d, e, f, g, z] = h as unknown as [number, number, number, number, number, number, number, number]
    for (let i = 0; i < 64; i++) {
      const t = (z + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + (rounds[i] ?? 0) + (w[i] ?? 0)) | 0
      const u = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
      ;[a, b, c, d, e, f, g, z] = [(t + u) | 0, a, b, c, (d + t) | 0, e, f, g]
    }
    for (const [i, x] of [a, b, c, d, e, f, g, z].entries()) h[i] = (h[i] ?? 0) + x
  }
  return [...h].map((x) => x.toString(16).padStart(8, '0')).join('')
}
// The fractions of the square and cube roots of the first primes.
const primes = Array.from({ length: 312 }, (_, i) => i).filter((n) => n > 1 && !Array.from({ length: n }, (_, d) => d).some((d) => d > 1 && n % d === 0))
const bits = (x: number) => Math.floor((x - Math.floor(x)) * 2 ** 32)
const first = primes.slice(0, 8).map((p) => bits(Math.sqrt(p)))
const rounds = primes.map((p) => bits(Math.cbrt(p)))
