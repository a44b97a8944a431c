import { mount } from 'svelte'
import '../kit/base.css'
import { speak } from '../kit/i18n.svelte'
import { applyTheme } from '../kit/prefs.svelte'
import { homeOf, resume, toSignIn } from '../kit/session.svelte'
import App from './App.svelte'

applyTheme()
const target = document.getElementById('app') ?? document.body
const [, session] = await Promise.all([speak(), resume().catch((e: unknown) => ({ failed: e }))])
if (session === undefined) toSignIn()
else if ('failed' in session) mount((await import('../kit/widgets/Unreachable.svelte')).default, { target, props: { error: session.failed } })
else if (session.kind !== 'customer') location.replace(homeOf(session))
else {
  mount(App, { target })
  void import('../kit/account/preferences').then((p) => p.takeOver()).catch(() => undefined)
}
