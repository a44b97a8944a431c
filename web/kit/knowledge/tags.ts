// An article's tags are one list for both languages, in words of either.
import type { Language } from '../i18n.svelte'

const han = /\p{Script=Han}/u

/**
 * Those of the tags that readers of a language have words for: on English pages
 * the ones without Chinese, on Chinese pages all but plain English words (names
 * and abbreviations such as ECS are everybody's). Where that leaves nothing, all.
 */
export function tagsFor(tags: readonly string[], language: Language): string[] {
  const own = tags.filter((t) => (language === 'en-us' ? !han.test(t) : han.test(t) || /[\p{Lu}\d]/u.test(t)))
  return own.length > 0 ? own : [...tags]
}

/** The language to say a tag in, where it is not the page's. */
export const tagLang = (tag: string, language: Language): string | undefined => (language === 'en-us' && han.test(tag) ? 'zh-CN' : undefined)
