// Names in a row, as a sentence has them.
import { intl } from '../kit/i18n.svelte'

/** "lihua 和 wangwei": between Chinese and Latin letters stands a space, which Intl does not set. */
export function and(names: string[], locale = intl()): string {
  const parts = new Intl.ListFormat(locale, { type: 'conjunction' }).formatToParts(names)
  return parts
    .map((p, i) => {
      if (p.type !== 'literal' || !/^\p{Script=Han}+$/u.test(p.value)) return p.value
      const [before, after] = [parts[i - 1]?.value ?? '', parts[i + 1]?.value ?? '']
      return `${/[\p{Script=Latin}\d]$/u.test(before) ? ' ' : ''}${p.value}${/^[\p{Script=Latin}\d]/u.test(after) ? ' ' : ''}`
    })
    .join('')
}
