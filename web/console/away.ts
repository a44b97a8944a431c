// Says above the page that the server does not answer. It comes with the live
// events, behind the first load, while the server still answers.
import { mount } from 'svelte'
import * as server from '../kit/away.svelte'
import Away from '../kit/widgets/Away.svelte'
import { m } from './more'

let stands = false

/** Tells whether the stream stands; `came` is called when the server answers again. */
export function streaming(live: boolean, came: () => void, silent: boolean): void {
  const main = document.getElementById('main') // may come later than this part
  if (!stands && main?.parentElement) {
    mount(Away, { target: main.parentElement, anchor: main, props: { text: () => m('away') } })
    stands = true
  }
  server.streaming(live, came, silent)
}
