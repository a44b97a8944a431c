// A zip of texts, stored as they are: names in UTF-8, no compression, times left
// at the format's beginning so that the same articles give the same file.

const table = new Uint32Array(256).map((_, n) => {
  let c = n
  for (let i = 0; i < 8; i++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c
})

export function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff
  for (const b of bytes) c = (table[(c ^ b) & 0xff] ?? 0) ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}

export function zip(files: Record<string, string>): Blob {
  const encode = new TextEncoder()
  const parts: Uint8Array<ArrayBuffer>[] = []
  const directory: Uint8Array<ArrayBuffer>[] = []
  let at = 0
  // Little-endian numbers of two or four bytes.
  const record = (numbers: [size: 2 | 4, value: number][], ...tail: Uint8Array[]) => {
    const head = numbers.reduce((n, [size]) => n + size, 0)
    const out = new Uint8Array(head + tail.reduce((n, t) => n + t.length, 0))
    const view = new DataView(out.buffer)
    let i = 0
    for (const [size, value] of numbers) {
      if (size === 2) view.setUint16(i, value, true)
      else view.setUint32(i, value, true)
      i += size
    }
    for (const t of tail) {
      out.set(t, i)
      i += t.length
    }
    return out
  }
  for (const [path, text] of Object.entries(files)) {
    const name = encode.encode(path)
    const body = encode.encode(text)
    // version 2.0, names in UTF-8, stored, 1980-01-01
    const common: [2 | 4, number][] = [[2, 20], [2, 0x0800], [2, 0], [2, 0], [2, 0x21], [4, crc32(body)], [4, body.length], [4, body.length], [2, name.length], [2, 0]]
    const local = record([[4, 0x04034b50], ...common], name, body)
    directory.push(record([[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, at]], name))
    parts.push(local)
    at += local.length
  }
  const size = directory.reduce((n, d) => n + d.length, 0)
  const end = record([[4, 0x06054b50], [2, 0], [2, 0], [2, directory.length], [2, directory.length], [4, size], [4, at], [2, 0]])
  return new Blob([...parts, ...directory, end], { type: 'application/zip' })
}
