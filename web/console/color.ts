// Whether a label's colour can be told from what it lies on.

const channel = (v: number) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => channel(parseInt(color.slice(i, i + 2), 16) / 255)) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
/** The contrast of two colours (#rrggbb) by WCAG 2: 1 = none, 21 = black on white. */
export function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)]
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05)
}

/** The cards of both schemes (tokens.css, --surface). */
const grounds = { light: '#ffffff', dark: '#191f24' } as const
/** Below it a dot is as good as its ground: its border alone is seen. */
const least = 1.3

/** The scheme in which a colour can not be told from the ground. */
export const pale = (color: string): 'light' | 'dark' | undefined => (Object.keys(grounds) as (keyof typeof grounds)[]).find((g) => contrast(color, grounds[g]) < least)
