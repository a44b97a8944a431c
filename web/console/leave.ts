// The way out; what was written on this device goes along, unless it fails.
import { dropAll } from '../kit/drafts'
import { toast } from '../kit/say.svelte'
import { session, signOut } from '../kit/session.svelte'
import { say } from '../kit/text'

/** Ends the session and removes the user's drafts from this browser. */
export async function leave(): Promise<void> {
  try {
    const who = session()
    await signOut()
    if (who !== undefined) dropAll(who.user_id)
  } catch (e) {
    toast(say(e), { bad: true })
  }
}
