// What a user chose: scheme, zone, keys. Kept in this browser, so that it is
// there at once; the server's copy (account/preferences) follows the user.

export type Theme = 'system' | 'light' | 'dark'

const key = 'casemate.prefs'
export interface Prefs {
  theme: Theme
  zone: string
  keys: boolean // single keys act
  remap: Record<string, string> // a shortcut's own key to the one it has now
}

function stored(): Partial<Prefs> {
  try {
    return JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Prefs>
  } catch {
    return {}
  }
}

export const prefs = $state<Prefs>({ theme: 'system', zone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'Asia/Shanghai', keys: true, remap: {}, ...stored() })

/** What was chosen in this browser, defaults left out. */
export const chosen = stored

export function setPrefs(change: Partial<Prefs>): void {
  Object.assign(prefs, change)
  localStorage.setItem(key, JSON.stringify({ ...stored(), ...change }))
  applyTheme()
}

export function applyTheme(): void {
  const root = document.documentElement
  if (prefs.theme === 'system') delete root.dataset.theme
  else root.dataset.theme = prefs.theme
}
