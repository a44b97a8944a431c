/**
 * Keeps a menu in sight: below its button while there is room, else as far up as
 * it takes, and longer than the page it scrolls. To be attached to what stands
 * first in the menu.
 */
export function fits(node: HTMLElement) {
  const pop = node.parentElement
  const button = pop?.previousElementSibling
  if (!pop || !button) return
  const edge = 8
  const place = () => {
    pop.style.cssText = `position:fixed;inset:0 auto auto 0;max-height:${innerHeight - 2 * edge}px;overflow-y:auto`
    const b = button.getBoundingClientRect()
    const [w, h] = [pop.offsetWidth, pop.offsetHeight]
    pop.style.left = `${Math.max(edge, Math.min(b.right - w, innerWidth - edge - w))}px`
    pop.style.top = `${Math.max(edge, Math.min(b.bottom + 4, innerHeight - edge - h))}px`
  }
  const scrolled = (e: Event) => e.target !== pop && place()
  place()
  addEventListener('resize', place)
  addEventListener('scroll', scrolled, true)
  return () => {
    removeEventListener('resize', place)
    removeEventListener('scroll', scrolled, true)
    pop.style.cssText = ''
  }
}
