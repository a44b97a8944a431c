// What the frame loads when it is asked for: the account's menu, the command
// palette. Not inside the frame's own component: the router takes a component
// with an import in its text for a lazy one.
import { toast } from '../kit/say.svelte'
import { say } from '../kit/text'

export const accountMenu = () => import('./AccountMenu.svelte')
export const palette = (): void =>
  void import('./palette/open').then((m) => m.show()).catch((e: unknown) => toast(say(e), { bad: true }))
