// Texts that must not be lost: kept on this device, per user and place, until
// they are sent.

const prefix = 'casemate.draft.'
const lifetime = 30 * 86_400_000

let gone: string | undefined // whose drafts were removed: a page on its way out keeps nothing of his again

interface Kept<T> {
  at: number
  value: T
}

export function keep<T>(user: string, place: string, value: T): number {
  if (user === gone) return 0
  const at = Date.now()
  try {
    localStorage.setItem(`${prefix}${user}.${place}`, JSON.stringify({ at, value } satisfies Kept<T>))
  } catch {
    return 0 // full or forbidden: nothing was kept, and nothing says so
  }
  return at
}

export function kept<T>(user: string, place: string): Kept<T> | undefined {
  try {
    const text = localStorage.getItem(`${prefix}${user}.${place}`)
    if (text === null) return undefined
    const k = JSON.parse(text) as Kept<T>
    return Date.now() - k.at < lifetime ? k : undefined
  } catch {
    return undefined
  }
}

export function drop(user: string, place: string): void {
  localStorage.removeItem(`${prefix}${user}.${place}`)
}

/** Removes all drafts of a user, for good as far as this page is concerned: at sign-out. */
export function dropAll(user: string): void {
  gone = user
  for (const key of Object.keys(localStorage)) if (key.startsWith(`${prefix}${user}.`)) localStorage.removeItem(key)
}

/** Calls at most once per wait, at its end; `flush` at once. */
export function later(run: () => void, wait = 750): { call: () => void; flush: () => void; stop: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined
  const stop = () => {
    clearTimeout(timer)
    timer = undefined
  }
  const flush = () => {
    if (timer === undefined) return
    stop()
    run()
  }
  return { call: () => (timer ??= setTimeout(flush, wait)), flush, stop }
}
