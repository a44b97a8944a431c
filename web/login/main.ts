import { mount } from 'svelte'
import '../kit/base.css'
import { speak } from '../kit/i18n.svelte'
import { applyTheme } from '../kit/prefs.svelte'
import { resume } from '../kit/session.svelte'
import { safeNext } from '../kit/signin'
import Login from './Login.svelte'

applyTheme()
const next = new URLSearchParams(location.search).get('next')
const target = document.getElementById('app') ?? document.body
const [, session] = await Promise.all([speak(), resume().catch((e: unknown) => ({ failed: e }))])
if (session === undefined) mount(Login, { target, props: { next } })
else if ('failed' in session) mount((await import('../kit/widgets/Unreachable.svelte')).default, { target, props: { error: session.failed } })
else location.replace(safeNext(next, session))
