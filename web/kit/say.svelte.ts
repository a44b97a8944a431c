// What is said to the user beside the page: toasts, and words for screen
// readers. Polite for news, assertive for own failures only.

export interface Toast {
  id: number
  text: string
  bad: boolean
  action?: { label: string; run: () => void }
}

const state = $state<{ toasts: Toast[]; polite: string; assertive: string }>({ toasts: [], polite: '', assertive: '' })
let last = 0

export function toasts(): Toast[] {
  return state.toasts
}
export function spoken(): { polite: string; assertive: string } {
  return state
}

export function announce(text: string, how: 'polite' | 'assertive' = 'polite'): void {
  state[how] = ''
  setTimeout(() => (state[how] = text), 50) // the same words twice are two changes
}

export function toast(text: string, options: { bad?: boolean; action?: Toast['action']; stay?: number } = {}): void {
  const t: Toast = { id: ++last, text, bad: options.bad ?? false, action: options.action }
  state.toasts = [...state.toasts.slice(-2), t]
  announce(text, t.bad ? 'assertive' : 'polite')
  setTimeout(() => dismiss(t.id), options.stay ?? (t.bad ? 10_000 : 5_000))
}

export function dismiss(id: number): void {
  state.toasts = state.toasts.filter((t) => t.id !== id)
}
