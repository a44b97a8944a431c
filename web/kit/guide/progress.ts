// How far a newcomer has come, kept for this browser: the path leads through
// several accounts.
export const steps = ['open', 'answer', 'code', 'webhook'] as const
export type Step = (typeof steps)[number]
export interface Progress {
  done: Step[]
  off: boolean
}

const key = 'casemate.guide'

export function read(): Progress {
  try {
    const got = JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Progress>
    return { done: steps.filter((s) => got.done?.includes(s)), off: got.off === true }
  } catch {
    return { done: [], off: false }
  }
}
export function write(p: Progress): void {
  try {
    localStorage.setItem(key, JSON.stringify(p))
  } catch {
    // full or forbidden: the guide begins anew next time
  }
}

/** What a step wants is where; whose account it takes. */
export const where: Record<Step, { section: 'console' | 'desk'; path: string; admin: boolean }> = {
  open: { section: 'console', path: '/console/new', admin: false },
  answer: { section: 'desk', path: '/desk/q/unassigned', admin: false },
  code: { section: 'desk', path: '/desk/catcher', admin: true },
  webhook: { section: 'desk', path: '/desk/admin/webhooks', admin: true },
}

/** What was done, told from where somebody went. */
export function reached(before: string, path: string): Step | undefined {
  if (path.startsWith('/desk/catcher')) return 'code'
  if (path.startsWith('/desk/admin/webhooks')) return 'webhook'
  if (before === '/console/new' && /^\/console\/tickets\/[^/]+$/.test(path)) return 'open'
  return undefined
}
