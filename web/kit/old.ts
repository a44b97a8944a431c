// Drafts that nobody will see again: apart from those that keep them, as no
// page waits for it, and without a word from there: what loads first is counted.
const prefix = 'casemate.draft.'
const lifetime = 30 * 86_400_000

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
