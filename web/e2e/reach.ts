// What cannot be seen or reached on a page as wide and as high as it is: the
// page scrolls sideways, words are cut off, a control that has the focus lies
// under a bar that sticks, or bars leave no room to read.
import type { Page } from '@playwright/test'

export async function unreachable(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const wrong: string[] = []
    const name = (e: Element) => `${e.tagName.toLowerCase()}${e.id ? `#${e.id}` : ''}${typeof e.className === 'string' && e.className ? `.${e.className.split(' ')[0]}` : ''} "${(e.getAttribute('aria-label') ?? e.textContent ?? '').trim().replace(/\s+/g, ' ').slice(0, 30)}"`
    const seen = (e: Element) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    const styleOf = (e: Element) => getComputedStyle(e)
    /** The region it scrolls in, other than the page. */
    const region = (e: Element, axis: 'overflowX' | 'overflowY'): Element | undefined => {
      for (let p = e.parentElement; p !== null && p !== document.body; p = p.parentElement) if (['auto', 'scroll'].includes(styleOf(p)[axis])) return p
      return undefined
    }
    const hiddenForAll = (e: Element) => {
      for (let p: Element | null = e; p !== null; p = p.parentElement) if (styleOf(p).clipPath !== 'none' || p.classList.contains('sr') || p.classList.contains('skip')) return true
      return false
    }
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth
    if (wide > 0) wrong.push(`the page scrolls sideways by ${wide}`)

    // A region that scrolls sideways can be scrolled by the keyboard.
    for (const e of document.querySelectorAll('body *')) {
      if (!['auto', 'scroll'].includes(styleOf(e).overflowX) || e.scrollWidth <= e.clientWidth + 1 || !seen(e) || hiddenForAll(e)) continue
      if (e instanceof HTMLTextAreaElement || (e as HTMLElement).tabIndex >= 0 || e.querySelector('a[href], button, input, select, textarea, [tabindex]') !== null) continue
      wrong.push(`scrolls sideways without the keyboard: ${name(e)}`)
    }

    // Words that are cut off without saying so.
    for (const e of document.querySelectorAll('body *')) {
      if (e.childElementCount > 0 || (e.textContent ?? '').trim() === '' || !seen(e) || hiddenForAll(e) || ['OPTION', 'SELECT', 'TEXTAREA', 'SCRIPT', 'STYLE', 'TITLE'].includes(e.tagName) || e.closest('svg') !== null) continue
      const r = e.getBoundingClientRect()
      const within = region(e, 'overflowX')
      if (within === undefined && (r.right > innerWidth + 1 || r.left < -1) && r.width > 0) wrong.push(`outside of the page: ${name(e)} ${Math.round(r.left)}..${Math.round(r.right)}`)
      const s = styleOf(e)
      if (s.overflowX === 'hidden' && s.textOverflow !== 'ellipsis' && e.scrollWidth > e.clientWidth + 1) wrong.push(`cut off: ${name(e)}`)
    }

    // Every control takes the focus where one sees it.
    const modal = document.querySelector('dialog[open]:modal')
    const controls = [...(modal ?? document).querySelectorAll<HTMLElement>('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')].filter((e) => seen(e) && !hiddenForAll(e) && e.getClientRects().length > 0 && !(e as HTMLButtonElement).disabled)
    for (const e of controls.slice(0, 120)) {
      e.focus()
      // A menu closes when the focus leaves it, and rows that come near take their heights with the frames: where it stands is where it is once they are drawn.
      for (let i = 0; i < 2; i++) await new Promise((r) => requestAnimationFrame(() => setTimeout(r)))
      if (document.activeElement !== e) continue
      const r = e.getBoundingClientRect()
      const [top, bottom] = [Math.max(r.top, 0), Math.min(r.bottom, innerHeight)]
      const [left, right] = [Math.max(r.left, 0), Math.min(r.right, innerWidth)]
      if (bottom - top < 1 || right - left < 1) {
        wrong.push(`has the focus and is not in view: ${name(e)} ${Math.round(r.left)},${Math.round(r.top)}`)
        continue
      }
      // Some of it is to be seen (WCAG 2.4.11).
      const points = [0.1, 0.5, 0.9].flatMap((x) => [0.1, 0.5, 0.9].map((y) => [left + (right - left) * x, top + (bottom - top) * y] as const))
      const label = e.closest('label')
      if (!points.some(([x, y]) => ((hit) => hit !== null && (e.contains(hit) || hit.contains(e) || (label?.contains(hit) ?? false)))(document.elementFromPoint(x, y)))) wrong.push(`has the focus and is covered: ${name(e)} by ${name(document.elementFromPoint(left + (right - left) / 2, top + (bottom - top) / 2) ?? document.body)}`)
    }
    ;(document.activeElement as HTMLElement | null)?.blur()

    // Bars that stick leave half of the height to read.
    scrollTo(0, 400)
    await new Promise((r) => requestAnimationFrame(r))
    let covered = 0
    for (const e of document.querySelectorAll('body *')) {
      const s = styleOf(e)
      if (!['sticky', 'fixed'].includes(s.position) || !seen(e) || hiddenForAll(e) || e.closest('dialog') !== null) continue
      const r = e.getBoundingClientRect()
      if (r.width < innerWidth / 2 || r.bottom <= 0 || r.top >= innerHeight || r.height === 0) continue
      const stuck = s.position === 'fixed' || (scrollY > 0 && Math.abs(r.top - parseFloat(s.top)) < 1) || Math.abs(innerHeight - r.bottom - parseFloat(s.bottom)) < 1
      if (stuck && styleOf(e).pointerEvents !== 'none') covered += Math.min(r.bottom, innerHeight) - Math.max(r.top, 0)
    }
    scrollTo(0, 0)
    if (covered > innerHeight / 2) wrong.push(`bars cover ${Math.round(covered)} of ${innerHeight}`)
    const main = document.querySelector('main')
    if (main !== null && modal === null) {
      const r = main.getBoundingClientRect()
      const room = Math.min(r.bottom, innerHeight) - Math.max(r.top, 0)
      if (styleOf(main).overflowY === 'auto' && room < innerHeight / 2 && r.width > 10) wrong.push(`only ${Math.round(room)} of ${innerHeight} are left for the content`)
    }
    return [...new Set(wrong)]
  })
}
