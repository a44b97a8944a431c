// Whether the server can not be reached though the browser has a network: the
// stream of events is gone and a call that asks for little fails twice.

const state = $state({ away: false })
let timer: ReturnType<typeof setTimeout> | undefined
let failures = 0
let round = 0
let back: () => void = () => undefined

/** ms until the first look, between two while it fails, and while only the stream is missing. */
const [soon, again, rarely] = [1500, 3000, 15_000]
const patience = 4000 // ms for an answer where one failed before

/** Whether the pages show what they had: the server does not answer. */
export function away(): boolean {
  return state.away
}

/**
 * Tells whether the stream stands; `came` is called when the server answers again.
 * Where it fell silent (`silent`) that counts as a first failure.
 */
export function streaming(live: boolean, came: () => void, silent = false): void {
  back = came
  clearTimeout(timer)
  round++
  if (live) return found()
  if (silent && failures === 0) failures = 1
  timer = setTimeout(() => void look(round), state.away ? again : silent ? 0 : soon)
}

function found(): void {
  failures = 0
  if (!state.away) return
  state.away = false
  back()
}

async function look(of: number): Promise<void> {
  // Whom nobody looks at need not ask; a missing network is said elsewhere.
  if (document.visibilityState === 'hidden' || !navigator.onLine) state.away = navigator.onLine && state.away
  else {
    const there = await fetch('/web/v1/session', { signal: AbortSignal.timeout(failures > 0 ? patience : 10_000), cache: 'no-store' }).then(
      (r) => r.status < 502 || r.status > 504, // a proxy before a server that is gone
      () => false,
    )
    if (of !== round) return
    if (there) found()
    else if (++failures > 1 && navigator.onLine) state.away = true
  }
  timer = setTimeout(() => void look(of), failures > 0 ? again : rarely)
}
