// Moving through a list by keys: J and K move, the focus is the place.

/** Focuses the next or previous of the elements; none focused = the first. */
export function step(selector: string, by: 1 | -1): HTMLElement | undefined {
  const all = [...document.querySelectorAll<HTMLElement>(selector)]
  if (all.length === 0) return undefined
  const at = all.findIndex((e) => e === document.activeElement || e.closest('li')?.contains(document.activeElement))
  const next = all[Math.min(all.length - 1, Math.max(0, at === -1 ? 0 : at + by))]
  next?.focus()
  next?.scrollIntoView({ block: 'nearest' })
  return next
}

/** The list item that holds the focus. */
export function focused(selector: string): HTMLElement | undefined {
  return [...document.querySelectorAll<HTMLElement>(selector)].find((e) => e.contains(document.activeElement))
}
