// The way out, of every page; what was written on this device goes along, unless it fails.
import { dropAll } from './drafts'
import { toast } from './say.svelte'
import { session, signOut } from './session.svelte'
import { sayAll } from './text'

/** Ends the session and removes the user's drafts from this browser. */
export async function leave(): Promise<void> {
  try {
    const who = session()
    await signOut()
    if (who !== undefined) dropAll(who.user_id)
  } catch (e) {
    toast(sayAll(e), { bad: true })
  }
}
