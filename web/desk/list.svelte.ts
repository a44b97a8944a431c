// The list in the middle pane. It is a snapshot: what changes is changed in
// place, what is new waits until it is asked for, what left stays, dimmed, so
// that nothing moves under the cursor.
import { language } from '../kit/i18n.svelte'
import { rows, type Sort, type Source, type Ticket } from './data'

export const sorts: Sort[] = ['due', 'newest', 'severity']

class List {
  source = $state<Source>({ kind: 'queue', id: 'mine' })
  sort = $state<Sort>('due')
  items = $state.raw<Ticket[]>([])
  gone = $state<Record<string, true>>({})
  fresh = $state<string[]>([]) // numbers that came since
  total = $state(0)
  capped = $state(false)
  loading = $state(true)
  error = $state<unknown>(undefined)
  stale = $state(false) // the last look failed
  cursor = $state('') // number of the row that keys act on
  chosen = $state<string[]>([])
  #next = $state<string>() // where the list goes on; that it ends is told at once
  #asked = 0
  #shown = ''
  #more = false
  #looking = false

  /** Shows another list; the same one again is left as it is. */
  show(source: Source, sort: Sort): void {
    const name = `${source.kind} ${source.id} ${sort} ${language()}`
    if (name === this.#shown) return
    this.#shown = name
    this.source = source
    this.sort = sort
    this.items = []
    this.chosen = []
    this.cursor = ''
    void this.load()
  }

  /** The next time it is shown it is read anew, whatever it was. */
  forget(): void {
    this.#shown = ''
  }

  async load(): Promise<void> {
    const asked = ++this.#asked
    this.loading = true
    this.error = undefined
    try {
      const page = await rows(this.source, this.sort)
      if (asked !== this.#asked) return
      this.items = page.items
      this.#next = page.next_cursor
      this.total = page.total_count
      this.capped = page.total_capped ?? false
      this.gone = {}
      this.fresh = []
      this.stale = false
      this.chosen = this.chosen.filter((n) => page.items.some((t) => t.number === n))
    } catch (e) {
      if (asked === this.#asked) this.error = e
    } finally {
      if (asked === this.#asked) this.loading = false
    }
  }

  get ends(): boolean {
    return this.#next === undefined
  }

  /** How many there are in all, as far as it is known; the server counts up to 10,000. */
  get all(): number | undefined {
    if (!this.capped) return this.total
    return this.ends ? this.items.length : undefined
  }

  async more(): Promise<void> {
    if (this.#more || this.#next === undefined || this.loading) return
    this.#more = true
    const asked = this.#asked
    try {
      const page = await rows(this.source, this.sort, this.#next)
      if (asked !== this.#asked) return
      const have = new Set(this.items.map((t) => t.number))
      this.#next = page.next_cursor
      this.items = [...this.items, ...page.items.filter((t) => !have.has(t.number))]
      this.stale = false
    } catch {
      this.stale = true
    } finally {
      this.#more = false
    }
  }

  /** Reads what is left of the list, up to so many rows more, as long as the same list is shown. */
  async rest(most: number): Promise<void> {
    const asked = this.#asked
    const until = this.items.length + most
    while (asked === this.#asked && !this.ends && !this.stale && this.items.length < until) {
      if (this.#more || this.loading) await new Promise((r) => setTimeout(r, 20)) // the page that is on its way
      else await this.more()
    }
  }

  /** Looks what changed, without moving a row. */
  async look(): Promise<void> {
    if (this.loading || this.#looking || this.#shown === '') return
    if (this.error !== undefined) return this.load()
    this.#looking = true
    const asked = this.#asked
    try {
      const page = await rows(this.source, this.sort)
      if (asked !== this.#asked) return
      const now = new Map(page.items.map((t) => [t.number, t]))
      const known = new Set(this.items.map((t) => t.number))
      // Only what the first page reaches can be said to have left.
      const reach = page.next_cursor === undefined ? this.items.length : Math.min(this.items.length, page.items.length - page.items.filter((t) => !known.has(t.number)).length)
      const gone: Record<string, true> = {}
      this.items.forEach((t, i) => {
        if (!now.has(t.number) && (i < reach || this.gone[t.number])) gone[t.number] = true
      })
      this.items = this.items.map((t) => now.get(t.number) ?? t)
      this.gone = gone
      this.fresh = page.items.filter((t) => !known.has(t.number)).map((t) => t.number)
      this.total = page.total_count
      this.capped = page.total_capped ?? false
      this.stale = false
    } catch {
      if (asked === this.#asked) this.stale = true
    } finally {
      this.#looking = false
    }
  }

  /** Puts a ticket that was changed here into its row. */
  put(t: Ticket): void {
    this.items = this.items.map((o) => (o.number === t.number ? { ...o, ...t, due_at: t.due_at, due_from: t.due_from } : o))
  }

  find(number: string): Ticket | undefined {
    return this.items.find((t) => t.number === number)
  }

  /** The row behind or before another one that is still in the list. */
  beside(number: string, by: 1 | -1): Ticket | undefined {
    let i = this.items.findIndex((t) => t.number === number)
    if (i === -1) return this.items[0]
    for (i += by; i >= 0 && i < this.items.length; i += by) {
      const t = this.items[i]
      if (t !== undefined && !this.gone[t.number]) return t
    }
    return undefined
  }

  choose(number: string): void {
    this.chosen = this.chosen.includes(number) ? this.chosen.filter((n) => n !== number) : [...this.chosen, number].slice(0, 100)
  }
}

export const list = new List()
