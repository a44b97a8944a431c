// A sample of the states and of 400 % zoom; all screens are in the long set.
import { screens as admin } from './admin-screens'
import { chosen, screens as desk } from './desk-screens'
import { unreachable } from './reach'
import { States } from './states'
import { expect, signIn, signInHouse, test } from './world'

test('console: a list that fails, comes again, is off for a while; 400 % zoom', async ({ page, context, world, faults }) => {
  await signIn(page, world, 'yunfan')
  await chosen(page, 'en-us', 'dark')
  const states = new States(page, context, faults)
  await states.start()
  await states.walk({ name: 'tickets', go: async (p) => void (await p.goto('/console/tickets')) }, { language: 'en-us', theme: 'dark', width: 390 }, true)
  await page.setViewportSize({ width: 320, height: 256 })
  await page.goto('/console/tickets')
  await expect(page.locator('.tickets a.row').first()).toBeVisible()
  await expect(page.locator('.said').first()).toBeAttached() // a line of each row that comes late
  expect(await unreachable(page)).toEqual([])
  // The files of a screen do not come: what stands stays, and there is a way on.
  faults.allow.push(/Failed to (load|fetch)/)
  await page.setViewportSize({ width: 1280, height: 800 })
  await page.goto('/console')
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  await context.setOffline(true)
  await page.locator('header nav').getByRole('link', { name: 'Labels' }).click()
  await expect(page.locator('.toast')).toContainText('The server cannot be reached')
  await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible()
  await context.setOffline(false)
  await page.locator('.toast').getByRole('button', { name: 'Try again' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Labels' })).toBeVisible()
  states.end()
})

test('desk and administration: places that fail, come again, are off for a while; 400 % zoom', async ({ page, context, world, faults }) => {
  await signInHouse(page, world, world.admin.name)
  await chosen(page, 'zh-cn', 'light')
  const states = new States(page, context, faults)
  await states.start()
  for (const s of [...desk.filter((s) => s.name === 'search'), ...admin.filter((s) => s.name === 'engineers')]) {
    await states.walk(s, { language: 'zh-cn', theme: 'light', width: 1440 }, true)
    await page.setViewportSize({ width: 320, height: 256 })
    expect(await unreachable(page), s.name).toEqual([])
  }
  states.end()
})
