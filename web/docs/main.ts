// The documentation: nobody needs to be signed in, so nobody is asked who he is.
import { mount } from 'svelte'
import '../kit/base.css'
import { speak } from '../kit/i18n.svelte'
import { applyTheme } from '../kit/prefs.svelte'
import App from './App.svelte'

applyTheme()
await speak()
mount(App, { target: document.getElementById('app') ?? document.body })
