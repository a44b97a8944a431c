import type { Page } from '@playwright/test'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { expect } from './world'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** axe-core over the page as it stands: WCAG 2.2 A and AA, no rule off, no element left out. */
export async function axeClean(page: Page, where: string): Promise<void> {
  // Injected by the test's own channel: the page's policy stays as it is.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(source)
  await page.evaluate(() => scrollTo(0, 0)) // what is half under a sticky bar is no target as it stands
  const found = await page.evaluate(async () => {
    const run = (window as unknown as { axe: { run: (c: Document, o: object) => Promise<{ violations: { id: string; nodes: { target: unknown[]; failureSummary?: string }[] }[] }> } }).axe
    const r = await run.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
    return r.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${String(n.target)} ${n.failureSummary ?? ''}`))
  })
  expect(found, where).toEqual([])
}
