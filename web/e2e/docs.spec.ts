// The documentation, as nobody who is signed in: search, deep links, languages,
// code that is copied and run.
import { execFileSync } from 'node:child_process'
import { walkDocs } from './docs-screens'
import { expect, signIn, test, type World } from './world'

async function token(world: World): Promise<string> {
  const domain = world.domains[0]
  const user = domain?.users[0]
  if (domain === undefined || user === undefined) throw new Error('no user')
  const r = await fetch(`${world.base}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name: user.name, password: user.password, domain: { name: domain.domain_name } } } },
        scope: { domain: { name: domain.domain_name } },
      },
    }),
  })
  return r.headers.get('x-subject-token') ?? ''
}

test('read, search, copy and run', async ({ page, world, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.goto('/docs')
  await expect(page.getByRole('heading', { level: 1, name: '文档' })).toBeVisible()
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN')

  // One Chinese character is enough; the keyboard leads into the results.
  await page.keyboard.press('/')
  await expect(page.getByRole('searchbox')).toBeFocused()
  await page.keyboard.type('签')
  await expect(page.locator('.hit').first()).toBeVisible()
  await page.getByRole('searchbox').fill('查询工单列表')
  await expect(page.locator('.hit a').first()).toHaveText('查询工单列表 ListCases')
  await page.getByRole('searchbox').fill('listcases')
  await expect(page.locator('.hit a').first()).toHaveText('查询工单列表 ListCases')
  await page.keyboard.press('ArrowDown')
  await expect(page.locator('.hit a').first()).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/docs\/api\/v2\/ListCases$/)
  await expect(page.getByRole('heading', { level: 1, name: 'ListCases' })).toBeFocused()

  // What is copied is a command that works.
  await page.locator('.code').hover()
  await page.getByRole('button', { name: /^复制 代码/ }).click()
  const curl = await page.evaluate(() => navigator.clipboard.readText())
  expect(curl).toContain(`${world.base}/v2/servicerequest/cases`)
  const answer = JSON.parse(execFileSync('bash', ['-c', curl], { encoding: 'utf8', env: { ...process.env, TOKEN: await token(world) } })) as { total_count: number }
  expect(answer.total_count).toBeGreaterThan(10)
  await page.getByRole('button', { name: 'Go', exact: true }).click()
  await expect(page.locator('.code pre')).toContainText('osm.NewOsmClient(hc).ListCases(&model.ListCasesRequest{})')
  await page.getByRole('button', { name: 'Python', exact: true }).click()
  await expect(page.locator('.code pre')).toContainText('client.list_cases(ListCasesRequest())')

  // A deep link keeps its section when the language changes.
  await page.goto('/docs/guide/calling-apis#状态码')
  await expect(page.locator('h2', { hasText: '状态码' })).toBeInViewport()
  await page.getByRole('button', { name: 'English' }).click()
  await expect(page).toHaveURL(/#status-codes$/)
  await expect(page.locator('h2', { hasText: 'Status codes' })).toBeInViewport()
  await expect(page.locator('html')).toHaveAttribute('lang', 'en')
  await page.goto('/docs/guide/nowhere')
  await expect(page.getByRole('heading', { level: 1, name: 'There is no such page' })).toBeVisible()
})

// Each in one of the two; all in more of them in the long set.
test('axe, and nothing scrolls sideways', async ({ page }) => {
  await walkDocs(page, ['/docs', '/docs/guide/calling-apis', '/docs/api/v2/CreateMessages', '/docs/search?q=OSM.01010024'], [
    { language: 'zh-cn', theme: 'light', width: 1440 },
    { language: 'en-us', theme: 'dark', width: 390 },
  ], true)
})

test('the way to the guide from the console', async ({ page, world }) => {
  await signIn(page, world, 'yunfan')
  const opened = page.waitForEvent('popup')
  await page.getByRole('link', { name: '使用指南' }).click()
  const guide = await opened
  await expect(guide.getByRole('heading', { level: 1, name: '用户指南' })).toBeVisible()
})
