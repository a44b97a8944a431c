// Each sort of access that engineers ask for, as the customer is asked: what,
// where, how long, how to take it back, in both languages and schemes.
import { presets } from '../desk/auth/kinds'
import { axeClean } from './axe'
import { expect, signIn, test } from './world'
import { ask } from './consent'

test('a customer is told in words what each sort of access allows', async ({ page, world }) => {
  test.setTimeout(240_000)
  const made = await ask(world)
  await signIn(page, world, 'yunfan')
  for (const [language, theme, width] of [['zh-cn', 'light', 1440], ['en-us', 'dark', 390]] as const) {
    await page.setViewportSize({ width, height: 900 })
    await page.evaluate(([l, t]) => {
      localStorage.setItem('casemate.language', l)
      localStorage.setItem('casemate.prefs', JSON.stringify({ theme: t, zone: 'Asia/Shanghai', keys: true }))
    }, [language, theme] as const)
    const said = new Set<string>()
    for (const p of presets) {
      await page.goto(`/console/auths/${made.get(p.id)}`)
      const sum = page.getByRole('region', { name: language === 'zh-cn' ? '同意后' : 'If you agree' })
      await expect(sum).toBeVisible()
      await expect(sum).toContainText(language === 'zh-cn' ? '收回授权' : 'Revoke')
      if (p.host) await expect(sum).toContainText('web-01')
      said.add((await sum.locator('dd').first().textContent()) ?? '')
      await axeClean(page, `${p.id} ${language} ${theme} ${width}`)
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), p.id).toBeLessThanOrEqual(0)
    }
    expect(said.size).toBeGreaterThanOrEqual(5) // shells and desktops are told alike
  }
})
