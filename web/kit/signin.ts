// Opening a session: what the sign-in page alone needs.
import { web } from './api'
import type { components } from './api/web'
import { unwrap } from './errors'
import { enter, homeOf, type Session } from './session.svelte'

/** The session, or what still has to be proved: a second factor. */
export async function signIn(body: components['schemas']['NewBrowserSessionReq']): Promise<Session | Challenge> {
  const got: Session | Challenge = await unwrap(web.POST('/web/v1/session', { body }))
  if (!('challenge' in got)) enter(got)
  return got
}
export type Challenge = components['schemas']['SignInChallenge']

/** Answers the challenge; a session that has just got a second factor brings its recovery codes. */
export async function answer(challenge: string, code: string): Promise<Session> {
  const got = await unwrap(web.POST('/web/v1/session/second-factor', { body: { challenge, code } }))
  enter(got)
  return got
}

/** A `next` that stays on this site and in the user's own section. */
export function safeNext(next: string | null, s: Session): string {
  const home = homeOf(s)
  return next !== null && (next === home || next.startsWith(`${home}/`) || next.startsWith(`${home}?`)) ? next : home
}
