// What an engineer chose for this browser.
const key = 'casemate.desk'

/** What the second line of a row can tell; names are those of views' columns. */
const all = ['domain', 'severity', 'urges', 'assignee', 'product', 'region', 'team', 'number', 'updated_at'] as const
export type Column = (typeof all)[number]
interface Settings {
  next: boolean
  all: boolean
  dense: boolean
  columns: Column[]
}
const defaults: Settings = { next: false, all: true, dense: false, columns: ['domain', 'severity', 'urges', 'assignee'] }
const state = $state<Settings>(read())

function read(): Settings {
  try {
    const got = { ...defaults, ...(JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Settings>) }
    return { ...got, columns: all.filter((c) => got.columns.includes(c)) }
  } catch {
    return { ...defaults }
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
/** Whether a row is one line. */
export function dense(): boolean {
  return state.dense
}
export function setDense(on: boolean): void {
  state.dense = on
  write()
}
/** What rows tell, in this order. */
export function columns(): Column[] {
  return state.columns
}
columns.all = all
export function toggleColumn(c: Column): void {
  state.columns = all.filter((x) => (x === c ? !state.columns.includes(c) : state.columns.includes(x)))
  write()
}
