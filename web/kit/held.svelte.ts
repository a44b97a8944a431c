// What is being written in a form, kept on this device by itself: never lost by
// leaving, gone when it was sent or discarded.
import { untrack } from 'svelte'
import { drop, keep, kept, later } from './drafts'
import { session } from './session.svelte'

interface Holds<T> {
  /** Where it is written: a noun and its id; each place has a text of its own. '' is nowhere, and nothing is kept. */
  place: () => string
  /** What is kept, a plain value. Never a secret, a code or a file. */
  read: () => T
  /** Puts back what was kept. */
  write: (value: T) => void
  /** What the form begins with: as much as nothing written. */
  start: () => T
  /** What is written goes along to another place where nothing is kept: which one it is, is chosen beside it. */
  carry?: boolean
}
interface Stored<T> {
  value: T
  from: string
}

/** Make it while a component is made. What was kept is in the form at once. */
export class Held<T> {
  /** Time of the keeping in ms; 0 = nothing is kept. */
  at = $state(0)
  /** What was kept began from something else than what is stored now. */
  moved = $state(false)

  readonly #holds: Holds<T>
  readonly #user = session()?.user_id ?? ''
  readonly #saver = later(() => this.#keep())
  #place = ''
  #from = ''
  #last = ''

  constructor(holds: Holds<T>) {
    this.#holds = holds
    untrack(() => this.#enter())
    $effect(() => {
      if (holds.place() === this.#place) return
      untrack(() => {
        this.#saver.flush()
        const [left, written] = [this.#place, holds.read()]
        holds.write(holds.start())
        this.#enter()
        if (!holds.carry || this.at > 0 || JSON.stringify(written) === JSON.stringify(holds.start())) return
        holds.write(written)
        this.#keep()
        if (this.at > 0) drop(this.#user, left)
      })
    })
    $effect(() => {
      if (JSON.stringify(holds.read()) !== this.#last) this.#saver.call()
    })
    // A page that is left in the middle of a word has it all the same.
    $effect(() => {
      addEventListener('pagehide', this.#saver.flush)
      return () => {
        removeEventListener('pagehide', this.#saver.flush)
        this.#saver.flush()
      }
    })
  }

  /** It was sent: there is nothing to keep any more. `place` is where it was written, when another one may stand there now. */
  readonly done = (place = this.#place): void => {
    if (place !== this.#place) return drop(this.#user, place)
    this.#saver.stop()
    this.#last = JSON.stringify(this.#holds.read())
    this.#from = '' // what comes next begins with what is stored then
    this.#drop()
  }
  /** Back to what the form began with. */
  readonly discard = (): void => {
    this.#holds.write(this.#holds.start())
    this.done()
  }

  #enter(): void {
    this.#place = this.#holds.place()
    this.#from = JSON.stringify(this.#holds.start())
    const found = this.#place === '' ? undefined : kept<Stored<T>>(this.#user, this.#place)
    this.at = found?.at ?? 0
    this.moved = found !== undefined && found.value.from !== this.#from
    if (found !== undefined) {
      this.#from = found.value.from
      this.#holds.write(found.value.value)
    }
    this.#last = JSON.stringify(this.#holds.read())
  }
  #keep(): void {
    const value = this.#holds.read()
    this.#last = JSON.stringify(value)
    if (this.#place === '') return
    if (this.#last === JSON.stringify(this.#holds.start())) this.#drop()
    else this.at = keep<Stored<T>>(this.#user, this.#place, { value, from: (this.#from ||= JSON.stringify(this.#holds.start())) })
  }
  #drop(): void {
    if (this.#place !== '') drop(this.#user, this.#place)
    this.at = 0
    this.moved = false
  }
}
