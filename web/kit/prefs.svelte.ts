// What a user chose for this browser: scheme, zone, whether single keys act.
// It is no secret and the server need not know it.

export type Theme = 'system' | 'light' | 'dark'

const key = 'casemate.prefs'
interface Prefs {
  theme: Theme
  zone: string
  keys: boolean
}

function read(): Prefs {
  const defaults: Prefs = { theme: 'system', zone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'Asia/Shanghai', keys: true }
  try {
    return { ...defaults, ...(JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Prefs>) }
  } catch {
    return defaults
  }
}

export const prefs = $state<Prefs>(read())

export function setPrefs(change: Partial<Prefs>): void {
  Object.assign(prefs, change)
  localStorage.setItem(key, JSON.stringify(prefs))
  applyTheme()
}

export function applyTheme(): void {
  const root = document.documentElement
  if (prefs.theme === 'system') delete root.dataset.theme
  else root.dataset.theme = prefs.theme
}
