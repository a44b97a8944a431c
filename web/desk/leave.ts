// Signing out, from the menu and from the palette.
import { dropAll } from '../kit/drafts'
import { toast } from '../kit/say.svelte'
import { session, signOut } from '../kit/session.svelte'
import { say } from '../kit/text'

export async function leave(): Promise<void> {
  try {
    const who = session()
    await signOut()
    if (who !== undefined) dropAll(who.user_id)
  } catch (e) {
    toast(say(e), { bad: true })
  }
}
