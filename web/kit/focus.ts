/**
 * Gives a field the focus: use with `@attach`. A layer that opens about it
 * takes the mark, one that is open already the call; the frame is for what is
 * not laid out yet.
 */
export function focused(node: HTMLElement): void {
  node.autofocus = true
  if (node.closest('dialog:not([open])') === null) node.focus() // else the page would be laid out once more for nothing
  requestAnimationFrame(() => node.focus())
}
