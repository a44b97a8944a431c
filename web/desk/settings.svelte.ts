// What an engineer chose for this browser.
const key = 'casemate.desk'
const state = $state<{ next: boolean; all: boolean }>(read())

function read() {
  const defaults = { next: false, all: true }
  try {
    return { ...defaults, ...(JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<typeof defaults>) }
  } catch {
    return defaults
  }
}
function write() {
  localStorage.setItem(key, JSON.stringify(state))
}

/** Whether the next ticket opens behind a reply. */
export function opensNext(): boolean {
  return state.next
}
export function setOpensNext(on: boolean): void {
  state.next = on
  write()
}
/** Whether steps stand between the messages. */
export function showsSteps(): boolean {
  return state.all
}
export function setShowsSteps(on: boolean): void {
  state.all = on
  write()
}
