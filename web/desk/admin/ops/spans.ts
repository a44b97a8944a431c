/** A duration as the configuration file has it (72h, 1h30m), in words with what the file has behind; every other value as it is. */
export function withSpan(value: string, locale: string): string {
  const m = /^(-?)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(value)
  if (m === null || !/\d/.test(value)) return value
  const parts = (['hour', 'minute', 'second'] as const).flatMap((unit, i) => {
    const n = m[i + 2]
    return n === undefined ? [] : [new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(Number(n))]
  })
  return `${m[1]}${parts.join(' ')} (${value})`
}
