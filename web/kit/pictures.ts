// Pictures inside a text. Their place is a Markdown image that names a file of
// the ticket by its id, and may say its size, so that nothing jumps when it comes:
//
//   ![error.png](attachment:0f3c... "1280x720")
//
// Programs that read the text see the file's name, and the id that downloads it.
import type { Upload, Uploads } from './uploads.svelte'

/** A picture's place in a text: a file's id, its name there, and its size in pixels (0 = not said, or none that a picture has). */
export interface Placed {
  id: string
  name: string
  width: number
  height: number
}

/** The source of the expression that finds one: name, id, width, height. A name has an end: to look for one takes no more than that. */
export const reference = String.raw`!\[([^\]\n]{0,255})\]\(attachment:([\w-]{1,64})(?: "(\d{1,5})x(\d{1,5})")?\)`
const every = () => new RegExp(reference, 'g')

/** What the expression found, as a picture. A size that would be a line or a tower is none. */
export function placedOf(name: string, id: string, w?: string, h?: string): Placed {
  const [width, height] = [Number(w ?? 0), Number(h ?? 0)]
  const fits = width > 0 && height > 0 && width / height <= 20 && height / width <= 20
  return { id, name: name.trim(), width: fits ? width : 0, height: fits ? height : 0 }
}

/** The ids of the files a text shows, each once. */
export function idsIn(text: string): Set<string> {
  return new Set([...text.matchAll(every())].map((m) => m[2] ?? ''))
}

/** The text without the places of files that `has` does not know, such as those of a draft whose files are gone. */
export function bare(text: string, has: (id: string) => boolean = () => false): string {
  return text.replace(every(), (whole, _name: string, id: string) => (has(id) ? whole : '')).replace(/^\s+$/, '')
}

/** The place of a picture. What would end its name is left out of it. */
export function placeOf(name: string, id: string, size = ''): string {
  return `![${name.replace(/[[\]\n]/g, '').slice(0, 255)}](attachment:${id}${size === '' ? '' : ` "${size}"`})`
}

const pictured = /^image\/(png|jpeg|gif|bmp)$/
const wait = 'wait-'

/**
 * Pictures pasted into one text field. Each has its place in the text at once, on a line of its own;
 * it gets the file's id when that is uploaded, and goes with the file.
 */
export class Pasted {
  #at = new Map<number, string>() // an upload's key to the id that the text has for it
  #sizes = new Map<number, string>()

  /** Takes pasted files: all are uploaded, pictures get a place where the cursor is. False when there are none. */
  take(e: ClipboardEvent, uploads: Uploads): boolean {
    const files = [...(e.clipboardData?.files ?? [])]
    if (files.length === 0) return false
    e.preventDefault()
    const area = e.currentTarget as HTMLTextAreaElement
    const pictures = uploads.add(files).filter((u) => u.preview !== '' && pictured.test(u.type))
    for (const u of pictures) {
      const id = `${wait}${u.key}`
      this.#at.set(u.key, id)
      const size = new Image()
      size.onload = () => {
        this.#sizes.set(u.key, `${size.naturalWidth}x${size.naturalHeight}`)
        // Uploaded before it was measured: its place has the id, and gets the size now.
        const end = `](attachment:${this.#at.get(u.key)}`
        const at = area.value.indexOf(`${end})`) + end.length
        if (at < end.length || this.#at.get(u.key) === id) return
        area.setRangeText(` "${this.#sizes.get(u.key)}"`, at, at, 'preserve')
        area.dispatchEvent(new InputEvent('input', { bubbles: true }))
      }
      size.src = u.preview
      const before = area.value.slice(0, area.selectionStart)
      insert(area, `${before === '' || before.endsWith('\n') ? '' : '\n'}${placeOf(u.name, id)}\n`)
    }
    return true
  }

  /** Takes up files that a kept draft brought: their places go with them, too. */
  adopt(list: readonly Pick<Upload, 'key' | 'id'>[]): void {
    for (const u of list) this.#at.set(u.key, u.id)
  }

  /** The text with what has become of the uploads since. */
  follow(text: string, list: readonly Pick<Upload, 'key' | 'id' | 'state' | 'name'>[]): string {
    for (const [key, id] of this.#at) {
      const u = list.find((x) => x.key === key)
      if (u === undefined) {
        this.#at.delete(key)
        text = bare(text, (x) => x !== id)
      } else if (u.state === 'done' && u.id !== id) {
        this.#at.set(key, u.id)
        text = text.replace(every(), (whole, name: string, at: string) => (at === id ? placeOf(name, u.id, this.#sizes.get(key)) : whole))
      }
    }
    return text
  }

  /** Does so to the field, where the cursor stays by what it was; answers the text. */
  renew(area: HTMLTextAreaElement | undefined, text: string, list: Parameters<Pasted['follow']>[1]): string {
    const now = this.follow(text, list)
    if (now === text || area === undefined || area.value !== text) return now
    let [from, same] = [0, 0] // what stands before and behind the change
    while (from < Math.min(text.length, now.length) && text[from] === now[from]) from++
    while (same < Math.min(text.length, now.length) - from && text.at(-1 - same) === now.at(-1 - same)) same++
    area.setRangeText(now.slice(from, now.length - same), from, text.length - same, 'preserve')
    return now
  }
}

/** Writes at the cursor, as typing would: the browser's undo takes it back. */
function insert(area: HTMLTextAreaElement, text: string): void {
  area.focus()
  if (document.execCommand('insertText', false, text)) return
  area.setRangeText(text, area.selectionStart, area.selectionEnd, 'end')
  area.dispatchEvent(new InputEvent('input', { bubbles: true }))
}
