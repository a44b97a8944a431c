// Pictures of every screen in both languages and schemes, wide and narrow, into
// screenshots/, to be looked at: npm run screenshots. ONLY names the beginnings
// of those to take, with commas between them.
import { prepare, screens } from './screens'
import { expect, signIn, test } from './world'

const only = (process.env.ONLY ?? '').split(',').filter(Boolean)

test('screenshots', async ({ page, world }) => {
  test.setTimeout(600_000)
  const made = await prepare(world)
  const shot = async (name: string) => page.screenshot({ path: `screenshots/${name}.png`, fullPage: true, animations: 'disabled' })
  const set = (language: string, theme: string) =>
    page.evaluate(([l, t]) => {
      localStorage.setItem('casemate.language', l ?? '')
      localStorage.setItem('casemate.prefs', JSON.stringify({ theme: t, zone: 'Asia/Shanghai', keys: true }))
    }, [language, theme])
  const every = async (list: { name: string; path: string }[]) => {
    for (const language of ['zh-cn', 'en-us'])
      for (const theme of ['light', 'dark']) {
        await set(language, theme)
        for (const width of [1440, 390]) {
          await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
          for (const s of list) {
            await page.goto(s.path)
            await expect(page.getByRole('heading', { level: 1 }).first()).toBeVisible()
            await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
            await shot(`${s.name}-${language}-${theme}-${width}`)
          }
        }
      }
  }
  await page.goto('/login')
  await every([{ name: 'login', path: '/login' }])
  await set('zh-cn', 'light')
  await signIn(page, world, 'yunfan')
  await every(screens(made).filter((s) => only.length === 0 || only.some((o) => s.name.startsWith(o))))
})
