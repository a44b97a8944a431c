// Shows the command palette; there is one at a time.
import { mount, unmount } from 'svelte'
import Palette from './Palette.svelte'

let shown: Record<string, unknown> | undefined

export function show(): void {
  shown ??= mount(Palette, {
    target: document.body,
    props: {
      onclose: () => {
        const gone = shown
        shown = undefined
        if (gone !== undefined) void unmount(gone)
      },
    },
  })
}
