// An article's tags are one list for both languages, in words of either.
import type { Language } from '../i18n.svelte'

const han = /\p{Script=Han}/u

/**
 * Those of the tags that readers of a language have words for: on English pages
 * the ones without Chinese, or all where that leaves nothing. On Chinese pages
 * all: nothing tells a plain English word from a name such as nginx. Of tags
 * that differ in case or width only, the first.
 */
export function tagsFor(tags: readonly string[], language: Language): string[] {
  const own = language === 'en-us' ? tags.filter((t) => !han.test(t)) : []
  const all = own.length > 0 ? own : tags
  const same = all.map((t) => t.normalize('NFKC').toLowerCase())
  return all.filter((_, i) => same.indexOf(same[i] ?? '') === i)
}

/** The language to say a tag in, where it is not the page's. */
export const tagLang = (tag: string, language: Language): string | undefined => (language === 'en-us' && han.test(tag) ? 'zh-CN' : undefined)
