// The virtual list of TanStack as runes see it.
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer, type VirtualItem, type VirtualizerOptions } from '@tanstack/virtual-core'

type Options = Pick<VirtualizerOptions<HTMLElement, HTMLElement>, 'count' | 'getScrollElement' | 'estimateSize' | 'overscan' | 'getItemKey'>

export class Window {
  #changes = $state(0)
  #n = 0
  #own: Virtualizer<HTMLElement, HTMLElement>

  constructor(options: Options) {
    this.#own = new Virtualizer({ ...options, observeElementRect, observeElementOffset, scrollToFn: elementScroll, onChange: () => this.#changed() })
  }
  #changed() {
    this.#changes = ++this.#n
  }
  /** Call it in an effect, with what it depends on. */
  set(options: Options): void {
    this.#own.setOptions({ ...this.#own.options, ...options })
    this.#own._willUpdate()
    this.#changed()
  }
  /** Watches the box until the returned function is called. */
  mount(): () => void {
    return this.#own._didMount()
  }
  /** Rows have another height now. */
  measure(): void {
    this.#own.measure()
  }
  get items(): VirtualItem[] {
    void this.#changes
    return this.#own.getVirtualItems()
  }
  get size(): number {
    void this.#changes
    return this.#own.getTotalSize()
  }
  to(index: number): void {
    this.#own.scrollToIndex(index)
  }
}
