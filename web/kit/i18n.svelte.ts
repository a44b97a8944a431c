// Texts in two languages. zh-cn is the master, en-us must hold the same keys
// (the type check says so). Only the language in use is loaded.

export type Language = 'zh-cn' | 'en-us'
export const languages: readonly { id: Language; name: string; short: string }[] = [
  { id: 'zh-cn', name: '简体中文', short: '中' },
  { id: 'en-us', name: 'English', short: 'EN' },
]

type Texts = Record<string, string>
type Loaders = Record<Language, () => Promise<{ default: Texts }>>
export type Values = Record<string, string | number>

const stored = 'casemate.language'
const loaders: Loaders[] = []
const state = $state<{ language: Language; texts: Texts }>({ language: preferred(), texts: {} })

function preferred(): Language {
  const chosen = globalThis.localStorage?.getItem(stored)
  if (chosen === 'zh-cn' || chosen === 'en-us') return chosen
  for (const l of globalThis.navigator?.languages ?? []) {
    if (l.toLowerCase().startsWith('zh')) return 'zh-cn'
    if (l.toLowerCase().startsWith('en')) return 'en-us'
  }
  return 'zh-cn'
}

/** The language in use, for `Intl` and the `lang` attribute. */
export function language(): Language {
  return state.language
}

export function intl(): string {
  return state.language === 'zh-cn' ? 'zh-CN' : 'en-GB'
}

/** Fills `{name}`; of `one|many` it takes what the number `n` asks for. */
export function fill(text: string, values: Values | undefined, locale: string): string {
  if (values === undefined) return text
  const n = values['n']
  if (text.includes('|') && typeof n === 'number') {
    const [one = '', many = one] = text.split('|')
    text = new Intl.PluralRules(locale).select(n) === 'one' ? one : many
  }
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const v = values[name]
    if (v === undefined) return whole
    return typeof v === 'number' ? new Intl.NumberFormat(locale).format(v) : v
  })
}

/** Registers a section's texts and gives the function that finds them. */
export function catalogue<Key extends string>(load: Record<Language, () => Promise<{ default: Record<Key, string> }>>) {
  loaders.push(load as Loaders)
  return (key: Key, values?: Values): string => fill(state.texts[key] ?? key, values, intl())
}

/** Loads all texts of a language and shows them; the page need not reload. */
export async function speak(language: Language = state.language): Promise<void> {
  const known = loaders.length
  const parts = await Promise.all(loaders.map((l) => l[language]()))
  if (loaders.length > known) return speak(language) // more came meanwhile, and must not be lost
  state.texts = Object.assign({}, ...parts.map((p) => p.default))
  state.language = language
  document.documentElement.lang = language === 'zh-cn' ? 'zh-CN' : 'en'
}

export async function choose(language: Language): Promise<void> {
  localStorage.setItem(stored, language)
  await speak(language)
}
