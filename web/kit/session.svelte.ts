// Who is signed in. The session is a cookie no script can read; the page only
// knows who it is and the value that changing calls carry.
import { web } from './api' // which asks here in turn, in calls alone
import type { components } from './api/web'
import { Failure, unwrap } from './errors'

export type Session = components['schemas']['BrowserSession']

const state = $state<{ session: Session | undefined; left: boolean }>({ session: undefined, left: false })

export function session(): Session | undefined {
  return state.session
}
export function csrf(): string {
  return state.session?.csrf ?? ''
}

/** Called when the server no longer knows the session: to the sign-in page and back. */
export function expired(): void {
  if (state.left || location.pathname === '/login') return
  state.left = true
  toSignIn()
}

export function toSignIn(): void {
  const back = location.pathname + location.search + location.hash
  location.assign(`/login?next=${encodeURIComponent(back)}`)
}

/** The session of the cookie, or undefined when there is none. */
export async function resume(): Promise<Session | undefined> {
  try {
    state.session = await unwrap(web.GET('/web/v1/session'))
  } catch (e) {
    if (e instanceof Failure && (e.status === 401 || e.status === 403)) state.session = undefined
    else throw e
  }
  return state.session
}

/** Takes up a session that was just opened. */
export function enter(s: Session): void {
  state.session = s
}

export async function signOut(): Promise<void> {
  await unwrap(web.DELETE('/web/v1/session'))
  state.session = undefined
  state.left = true
  location.assign('/login')
}

/** Where a user of this kind belongs. */
export function homeOf(s: Session): string {
  return s.kind === 'customer' ? '/console' : '/desk'
}
