// The keyboard layer. Single keys never act in a text field or while an input
// method composes, and can be switched off (WCAG 2.1.4).
import { prefs } from './prefs.svelte'

export { onEnter } from './enter'

export interface Shortcut {
  keys: string // 'r', 'ctrl+k', 'g h' (one after the other), '?'
  label: string
  group: string
  run: () => void
  when?: () => boolean
}

let registered: (() => Shortcut[])[] = [] // no state: read when a key is pressed
const sheet = $state({ open: false })

/** The shortcuts there are now, with the keys the user gave them. */
export function shortcuts(): Shortcut[] {
  return registered.flatMap((l) => l()).map((s) => (prefs.remap[s.keys] === undefined ? s : { ...s, keys: prefs.remap[s.keys] ?? '' }))
}

/** Whether a shortcut acts on plain characters, which can be switched off and given other keys (WCAG 2.1.4). */
export function single(keys: string): boolean {
  return keys.split(' ').every((k) => k.length === 1)
}

export function sheetOpen(): boolean {
  return sheet.open
}
export function showSheet(open: boolean): void {
  sheet.open = open
}

/** Registers shortcuts while a component lives: call it in `$effect`. */
export function useKeys(list: () => Shortcut[]): () => void {
  registered.push(list)
  return () => {
    registered = registered.filter((l) => l !== list)
  }
}

/** A field in which keys are text. */
export function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true
  return target instanceof HTMLInputElement && !['checkbox', 'radio', 'button', 'submit', 'range', 'file', 'color'].includes(target.type)
}

export function nameOf(e: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey'>): string {
  const key = e.key === ' ' ? 'space' : e.key.toLowerCase()
  const mods = [e.ctrlKey || e.metaKey ? 'ctrl+' : '', e.altKey ? 'alt+' : '', e.shiftKey && key.length > 1 ? 'shift+' : '']
  return mods.join('') + key
}

let pending = ''
let pendingAt = 0

/** Finds what a key does; exported for tests. */
export function match(list: Shortcut[], key: string, at: number): { hit?: Shortcut; waits: boolean } {
  const sequence = pending !== '' && at - pendingAt < 1200 ? `${pending} ${key}` : key
  const usable = list.filter((s) => s.when === undefined || s.when())
  const hit = usable.findLast((s) => s.keys === sequence) ?? (sequence !== key ? undefined : usable.findLast((s) => s.keys === key))
  const waits = hit === undefined && usable.some((s) => s.keys.startsWith(`${key} `))
  pending = waits ? key : ''
  pendingAt = at
  return { hit, waits }
}

export function listen(): () => void {
  const onKey = (e: KeyboardEvent) => {
    if (e.defaultPrevented || composing || e.isComposing || e.keyCode === 229) return
    const name = nameOf(e)
    if (['control', 'meta', 'alt', 'shift', 'ctrl+control', 'ctrl+meta', 'alt+alt', 'shift+shift'].includes(name)) return
    const modified = name.startsWith('ctrl+') || name.startsWith('alt+')
    if (!modified && (typing(e.target) || !prefs.keys)) return
    if (!modified && document.querySelector('dialog[open]') !== null) return
    const { hit } = match(shortcuts(), name, e.timeStamp) // when it was pressed: a busy page hears of it later
    if (hit !== undefined) {
      e.preventDefault()
      hit.run()
    }
  }
  const start = () => (composing = true)
  const end = () => (composing = false)
  document.addEventListener('keydown', onKey)
  document.addEventListener('compositionstart', start, true)
  document.addEventListener('compositionend', end, true)
  return () => {
    document.removeEventListener('keydown', onKey)
    document.removeEventListener('compositionstart', start, true)
    document.removeEventListener('compositionend', end, true)
  }
}
let composing = false
