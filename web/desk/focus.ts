/** Gives a field the focus as soon as its layer stands: use with `@attach`. */
export function focused(node: HTMLElement): void {
  requestAnimationFrame(() => node.focus())
}
