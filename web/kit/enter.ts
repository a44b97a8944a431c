// Enter, for those who write with an input method, too.

/**
 * Runs on Enter (with the wanted modifier) that is no confirmation of an input
 * method's candidate. Some browsers end the composition before they send that
 * Enter, some after: the one Enter of the composition's end never counts, the
 * next one does.
 */
export function onEnter(run: () => void, modifier: 'ctrl' | 'none' = 'none') {
  return (node: HTMLElement) => {
    let inside = false
    let endedAt = -1
    const start = () => (inside = true)
    const end = (e: Event) => {
      inside = false
      endedAt = e.timeStamp
    }
    const down = (e: KeyboardEvent) => {
      if (e.key !== 'Enter') return
      const confirms = inside || e.isComposing || e.keyCode === 229 || (endedAt >= 0 && e.timeStamp - endedAt < 30)
      endedAt = -1
      if (confirms) return
      const held = e.ctrlKey || e.metaKey
      if (modifier === 'ctrl' ? !held : held || e.shiftKey || e.altKey) return
      e.preventDefault()
      run()
    }
    node.addEventListener('compositionstart', start)
    node.addEventListener('compositionend', end)
    node.addEventListener('keydown', down)
    return () => {
      node.removeEventListener('compositionstart', start)
      node.removeEventListener('compositionend', end)
      node.removeEventListener('keydown', down)
    }
  }
}
