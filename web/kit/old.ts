// Drafts that nobody will see again: apart from those that keep them, as no
// page waits for it.
import { lifetime, prefix } from './drafts'

/** Removes the drafts past their lifetime, whoever's they are; what can not be read as one as well. */
export function purge(now = Date.now()): void {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(prefix) && !young(localStorage.getItem(key), now)) localStorage.removeItem(key)
  } catch {
    // Forbidden: nothing was kept either.
  }
}

function young(text: string | null, now: number): boolean {
  try {
    return now - (JSON.parse(text ?? '') as { at: number }).at < lifetime
  } catch {
    return false
  }
}
