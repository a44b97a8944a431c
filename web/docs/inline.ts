import type { Inline } from './build/types'

/** The text alone. */
export function plain(c: Inline[]): string {
  return c.map((i) => (typeof i === 'string' ? i : i.k === 'code' ? i.t : i.k === 'br' ? ' ' : plain(i.c))).join('')
}

/** Examples speak of an installation; the reader has one before him. */
export const ours = (text: string) => text.replaceAll('https://desk.example.com', location.origin)
