// Where the focus goes when what has it goes away: near it, so that a reader of
// the screen and who uses the keyboard goes on from there.

function give(to: HTMLElement): void {
  if (!to.hasAttribute('tabindex') && to.tabIndex < 0) to.tabIndex = -1
  to.focus({ preventScroll: true })
}

/**
 * Gives the focus to what `find` finds: now or when it comes, and again when it
 * is replaced while a page is loaded, as long as nobody has gone elsewhere.
 */
export function keep(find: () => HTMLElement | null): void {
  const from = document.activeElement
  let had = find()
  if (had !== null) give(had)
  const look = () => {
    const at = document.activeElement
    if (at !== document.body && at !== from && at !== had) return end()
    if (had?.isConnected) return
    had = find()
    if (had !== null) give(had)
  }
  const watch = new MutationObserver(look)
  const late = setTimeout(() => end(), 10_000)
  const end = () => {
    watch.disconnect()
    clearTimeout(late)
  }
  watch.observe(document.getElementById('main') ?? document.body, { childList: true, subtree: true })
}

/** Gives the focus to the heading of the part a node is in, or to the part itself. */
export function near(node: Element): void {
  const part = node.closest<HTMLElement>('section, article, dialog, aside, nav, main')
  keep(() => {
    if (!part?.isConnected) return document.getElementById('main')
    return (part.matches('main') ? null : part.querySelector<HTMLElement>('h1, h2, h3')) ?? part
  })
}
