import { mount } from 'svelte'
import '../kit/base.css'
import { speak } from '../kit/i18n.svelte'
import { applyTheme } from '../kit/prefs.svelte'
import { resume, safeNext } from '../kit/session.svelte'
import Login from './Login.svelte'

applyTheme()
const next = new URLSearchParams(location.search).get('next')
const [, session] = await Promise.all([speak(), resume().catch(() => undefined)])
if (session !== undefined) location.replace(safeNext(next, session))
else mount(Login, { target: document.getElementById('app') ?? document.body, props: { next } })
