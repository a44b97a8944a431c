// All states of all screens: each screen in one of two looks, in turns.
import { screens as admin } from './admin-screens'
import { chosen, screens as desk } from './desk-screens'
import { prepare, screens as consoleScreens } from './screens'
import { States, type Look } from './states'
import { expect, signIn, signInHouse, test } from './world'

const looks: Look[] = [
  { language: 'zh-cn', theme: 'light', width: 1440 },
  { language: 'en-us', theme: 'dark', width: 390 },
]
const only = (process.env.ONLY ?? '').split(',').filter(Boolean)
const wanted = (name: string) => only.length === 0 || only.some((o) => name.startsWith(o))

for (const [turn, look] of looks.entries()) {
  const mine = <T extends { name: string }>(list: readonly T[]) => list.filter((s, i) => i % 2 === turn && wanted(s.name))
  const title = `${look.language} ${look.theme} ${look.width}`

  test(`states of the console ${title}`, async ({ page, context, world, faults }) => {
    test.setTimeout(900_000)
    const made = await prepare(world)
    await signIn(page, world, 'yunfan')
    await chosen(page, look.language, look.theme)
    const states = new States(page, context, faults)
    await states.start()
    for (const s of mine(consoleScreens(made)))
      await states.walk({ name: s.name, go: async (p) => void (await p.goto(s.path), await expect(p.getByRole('heading', { level: 1 }).first()).toBeVisible()) }, look)
    states.end()
  })

  test(`states of the desk ${title}`, async ({ page, context, world, faults }) => {
    test.setTimeout(900_000)
    await signInHouse(page, world, 'chen')
    await chosen(page, look.language, look.theme)
    const states = new States(page, context, faults)
    await states.start()
    for (const s of mine(desk)) await states.walk(s, look)
    states.end()
  })

  for (const part of [0, 1, 2])
    test(`states of the administration, part ${part + 1}, ${title}`, async ({ page, context, world, faults }) => {
      test.setTimeout(900_000)
      await signInHouse(page, world, world.admin.name)
      await chosen(page, look.language, look.theme)
      const states = new States(page, context, faults)
      await states.start()
      for (const s of mine(admin).filter((_, i) => i % 3 === part)) await states.walk(s, look)
      states.end()
    })
}
