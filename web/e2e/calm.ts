// Limits of time mean something on a machine that does nothing else. A measure
// waits until it is so, is taken again when others came in between, and fails on
// the limit as it stands, or because the machine never was calm.
import { cpus } from 'node:os'
import { expect, test } from './world'

const ticks = () =>
  cpus()
    .map((c) => c.times)
    .reduce((a, t) => ({ idle: a.idle + t.idle, all: a.all + t.idle + t.user + t.nice + t.sys + t.irq }), { idle: 0, all: 0 })

/** The share of the processors' time that is used over so many ms, 0 to 1. */
async function busy(ms: number): Promise<number> {
  const a = ticks()
  await new Promise((r) => setTimeout(r, ms))
  const b = ticks()
  return 1 - (b.idle - a.idle) / Math.max(1, b.all - a.all)
}

const most = 0.25 // of all processors, with the page under test idle
/** Waits until nothing else runs: three looks of a second in a row. Fails after `minutes`. */
export async function calm(minutes = 4): Promise<number> {
  const end = Date.now() + minutes * 60_000
  let seen = 1
  for (let row = 0; row < 3; ) {
    seen = await busy(1000)
    row = seen <= most ? row + 1 : 0
    if (row < 3 && Date.now() > end) throw new Error(`the machine was busy for ${minutes} minutes (${Math.round(seen * 100)} % at the end): nothing was measured`)
  }
  return seen
}

export interface Limit {
  what: string
  got: number
  most: number
}
const wrong = (all: Limit[]) => all.filter((l) => !(l.got <= l.most)).map((l) => `${l.what}: ${l.got}, at most ${l.most}`)

/**
 * Measures on a calm machine. What is over a limit is measured again, three times
 * at most, only where the machine was busy right after it: a neighbour woke up.
 */
export async function measured(name: string, measure: () => Promise<Limit[]>): Promise<void> {
  let over: string[] = []
  for (let turn = 1; turn <= 3; turn++) {
    const before = await calm()
    const all = await measure()
    over = wrong(all)
    const line = `${name} (${turn}): ${all.map((l) => `${l.what} ${l.got}`).join(', ')}; machine ${Math.round(before * 100)} % busy before`
    test.info().annotations.push({ type: 'measured', description: line })
    console.log(line)
    if (over.length === 0 || (await busy(1000)) <= most) break
  }
  expect(over, name).toEqual([])
}
