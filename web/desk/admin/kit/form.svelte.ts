// A form's way to the server and back: busy, what was refused, at which field.
import { asFailure, type Failure } from '../../../kit/errors'
import { toast } from '../../../kit/say.svelte'
import { detailOf, say } from '../../../kit/text'
import { a } from '../texts'
import { fieldOf } from './field'

/** The server's words as a sentence; the wire's name of a field stays as it is spelled. */
const sentence = (text: string) => text.replace(/^[a-z]+(?=[ ,’'])/, (w) => w.charAt(0).toUpperCase() + w.slice(1))

export class Form {
  busy = $state(false)
  failure = $state.raw<Failure>()
  field = $state('')
  #known = new Set<string>()

  /** What the server said of a field, by the wire's name: `name`, `actions[2].text`. Shown there, and not once more above. */
  error(name: string): string {
    this.#known.add(name)
    return this.failure !== undefined && this.field === name ? sentence(detailOf(this.failure) || say(this.failure)) : ''
  }
  /** The failure is about no field that is shown. */
  get general(): Failure | undefined {
    return this.failure !== undefined && !this.#known.has(this.field) ? this.failure : undefined
  }
  /** What the page itself refuses before the server is asked. */
  refuse(name: string, failure: Failure): void {
    this.failure = failure
    this.field = name
  }
  clear(): void {
    this.failure = undefined
    this.field = ''
  }
  /** Runs a change once at a time; says that it is done, or keeps why not. Gives the answer, undefined when it failed. */
  async run<T>(change: () => Promise<T>, said = a('form.saved')): Promise<{ value: T } | undefined> {
    if (this.busy) return undefined
    this.busy = true
    this.clear()
    try {
      const value = await change()
      if (said !== '') toast(said)
      return { value }
    } catch (e) {
      this.failure = asFailure(e)
      this.field = fieldOf(this.failure, this.#known)
      requestAnimationFrame(() => document.querySelector<HTMLElement>('main [aria-invalid=true], dialog[open] [aria-invalid=true]')?.focus())
      return undefined
    } finally {
      this.busy = false
    }
  }
}
