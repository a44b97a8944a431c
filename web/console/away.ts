// Says above the page that the server does not answer. It comes with the live
// events, behind the first load, while the server still answers.
import { mount } from 'svelte'
import { streaming } from '../kit/away.svelte'
import Away from '../kit/widgets/Away.svelte'
import { m } from './more'

const main = document.getElementById('main')
if (main?.parentElement) mount(Away, { target: main.parentElement, anchor: main, props: { text: () => m('away') } })

export { streaming }
