// Where one is: the title, and headings by the address's fragment.
import { arrived } from '../kit/router'

export function title(text: string): void {
  document.title = text === '' ? 'Casemate' : `${text} · Casemate`
}

/** Shows the heading that the address names, by its own id or one of the other language. */
export function goToHash(alias: Record<string, string> = {}): boolean {
  const name = decodeURIComponent(location.hash.slice(1))
  if (name === '') return false
  const id = alias[name] ?? name
  if (id !== name) history.replaceState(history.state, '', `#${encodeURIComponent(id)}`)
  const node = document.getElementById(id)
  if (node === null) return false
  requestAnimationFrame(() => {
    node.scrollIntoView()
    node.tabIndex = -1
    node.focus({ preventScroll: true })
  })
  return true
}

let due = false

/** After a change of place: the focus is owed to the new page's heading, which may come with its content. */
export function left(): void {
  due = true
  settle()
}

/** Called when a page's content is there. */
export function settle(alias: Record<string, string> = {}): void {
  if (goToHash(alias)) due = false
  else if (due)
    requestAnimationFrame(() => {
      if (!due || document.querySelector('main h1') === null) return
      due = false
      arrived()
    })
}

/** A tag's name as a fragment. */
export const slug = (name: string) => name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')
