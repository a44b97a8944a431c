// Asks before what cannot be undone, and only then.

export interface Question {
  title: string
  text: string
  /** The button that does it, in the words of what is done. */
  action: string
  /** It can be undone after all: no red, no warning. */
  mild?: boolean
}

const state = $state<{ open: (Question & { answer: (yes: boolean) => void }) | undefined }>({ open: undefined })

export function question(): (Question & { answer: (yes: boolean) => void }) | undefined {
  return state.open
}

/** Whether the user wants it. A question that comes meanwhile takes the place of an older one, which counts as no. */
export function ask(q: Question): Promise<boolean> {
  state.open?.answer(false)
  return new Promise((resolve) => {
    state.open = {
      ...q,
      answer: (yes) => {
        state.open = undefined
        resolve(yes)
      },
    }
  })
}
