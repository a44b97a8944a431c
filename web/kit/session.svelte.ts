// Who is signed in. The session is a cookie no script can read; the page only
// knows who it is and the value that changing calls carry.
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
  const { web } = await import('./api')
  try {
    state.session = await unwrap(web.GET('/web/v1/session'))
  } catch (e) {
    if (e instanceof Failure && (e.status === 401 || e.status === 403)) state.session = undefined
    else throw e
  }
  return state.session
}

/** The session, or what still has to be proved: a second factor. */
export async function signIn(body: components['schemas']['NewBrowserSessionReq']): Promise<Session | Challenge> {
  const { web } = await import('./api')
  const got: Session | Challenge = await unwrap(web.POST('/web/v1/session', { body }))
  if (!('challenge' in got)) state.session = got
  return got
}
export type Challenge = components['schemas']['SignInChallenge']

/** Answers the challenge; a session that has just got a second factor brings its recovery codes. */
export async function answer(challenge: string, code: string): Promise<Session> {
  const { web } = await import('./api')
  state.session = await unwrap(web.POST('/web/v1/session/second-factor', { body: { challenge, code } }))
  return state.session
}

export async function signOut(): Promise<void> {
  const { web } = await import('./api')
  await unwrap(web.DELETE('/web/v1/session', { headers: headersOf() }))
  state.session = undefined
  state.left = true
  location.assign('/login')
}

function headersOf(): Record<string, string> {
  return { 'X-Csrf': csrf() }
}

/** Where a user of this kind belongs. */
export function homeOf(s: Session): string {
  return s.kind === 'customer' ? '/console' : '/desk'
}

/** A `next` that stays on this site and in the user's own section. */
export function safeNext(next: string | null, s: Session): string {
  const home = homeOf(s)
  return next !== null && (next === home || next.startsWith(`${home}/`) || next.startsWith(`${home}?`)) ? next : home
}
