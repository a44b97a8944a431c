// Where the focus goes when what has it goes away: near it, so that a reader of
// the screen and who uses the keyboard goes on from there.

/** Gives the focus to the heading of the part a node is in, or to the part itself. */
export function near(node: Element): void {
  const part = node.closest('section, article, dialog, aside, nav, main')
  const heading = part?.matches('main') ? null : part?.querySelector<HTMLElement>('h1, h2, h3')
  const to = heading ?? (part as HTMLElement | null)
  if (to === null) return
  if (to.tabIndex < 0 && !to.hasAttribute('tabindex')) to.tabIndex = -1
  to.focus({ preventScroll: true })
  // It may go as well, when what was asked for comes: then the page's content has it.
  const main = document.getElementById('main')
  if (main === null || to === main) return
  const watch = new MutationObserver(() => {
    if (to.isConnected) return
    end()
    if (document.activeElement === document.body) main.focus({ preventScroll: true })
  })
  const late = setTimeout(() => end(), 30_000)
  const end = () => {
    watch.disconnect()
    clearTimeout(late)
  }
  watch.observe(main, { childList: true, subtree: true })
}
