// The way out: what was written on this device goes first.
import { dropAll } from '../kit/drafts'
import { toast } from '../kit/say.svelte'
import { session, signOut } from '../kit/session.svelte'
import { say } from '../kit/text'

/** Ends the session and removes the user's drafts from this browser. */
export async function leave(): Promise<void> {
  try {
    const who = session()
    if (who !== undefined) dropAll(who.user_id)
    await signOut()
  } catch (e) {
    toast(say(e), { bad: true })
  }
}
