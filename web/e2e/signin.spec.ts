import { axeClean } from './axe'
import { expect, test, throughPage, totp } from './world'

test('a wrong password is told, a right one leads to the page that was wanted', async ({ page, world, faults }) => {
  faults.allow.push(/console: Failed to load resource.*401/)
  const [domain] = world.domains
  const user = domain?.users[0]
  await page.goto('/console/tickets?status=1')
  await page.waitForURL(/\/login\?next=/)
  await page.locator('#domain').fill(domain?.domain_name ?? '')
  await page.locator('#name').fill(user?.name ?? '')
  await page.locator('#password').fill('not the password')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('alert')).toContainText('不正确')
  await expect(page.locator('#password')).toBeFocused()
  await expect(page.locator('#password')).toHaveValue('')
  await page.locator('#password').fill(user?.password ?? '')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/console\/tickets\?status=1/)
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
})

test('empty fields are named and focused; a link to another site is not followed', async ({ page, world }) => {
  await page.goto('/login?next=https://example.com/')
  await page.locator('button[type=submit]').click()
  await expect(page.locator('#domain')).toBeFocused()
  await expect(page.locator('#domain')).toHaveAttribute('aria-invalid', 'true')
  await throughPage(page, world, 'lihua')
  expect(new URL(page.url()).pathname).toBe('/console')
})

test('the house is told of its own help, and a set-up offers no recovery code', async ({ page, context }) => {
  const qr = 'data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4='
  await context.route('**/web/v1/session', (r) =>
    r.request().method() === 'POST' ? r.fulfill({ status: 202, json: { challenge: 'c', expires_at: '2099-01-01T00:00:00Z', enrolment: { secret: 'ABCDEFGH', uri: 'otpauth://totp/x', qr } } }) : r.fallback(),
  )
  await page.goto('/login?next=/desk')
  await expect(page.locator('form')).toContainText('请联系系统管理员')
  await expect(page.locator('form')).not.toContainText('主账号')
  await page.locator('#name').fill('x')
  await page.locator('#password').fill('y')
  await page.keyboard.press('Enter')
  await expect(page.locator('#codeh')).toHaveText('身份验证器显示的 6 位数字')
  await axeClean(page, 'set-up')
})

test('no secret is in what scripts can read; signing out ends the session', async ({ page, world, faults, context }) => {
  faults.allow.push(/console: Failed to load resource.*401/)
  await throughPage(page, world, 'lihua')
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  const cookies = await context.cookies()
  expect(cookies.filter((c) => c.httpOnly).length).toBe(1)
  const readable = await page.evaluate(() => JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage }) + document.cookie)
  for (const c of cookies) expect(readable).not.toContain(c.value)
  await page.getByRole('button', { name: /账号 lihua/ }).click()
  await page.getByRole('button', { name: '退出登录' }).click()
  await page.waitForURL(/\/login/)
  await page.goto('/console')
  await page.waitForURL(/\/login/)
})

test('a user with a second factor is asked for a code, and a wrong one is told', async ({ page, world, faults, context }) => {
  faults.allow.push(/console: Failed to load resource.*401/)
  await throughPage(page, world, 'bob', 1)
  const call = (path: string, body?: unknown) =>
    page.evaluate(
      async ([path, body]) => {
        const s = (await (await fetch('/web/v1/session')).json()) as { csrf: string }
        const r = await fetch(path as string, { method: 'POST', headers: { 'X-Csrf': s.csrf, 'Content-Type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) })
        return (await r.json()) as Record<string, string>
      },
      [path, body] as const,
    )
  const { secret } = await call('/web/v1/second-factor')
  const confirmed = await call('/web/v1/second-factor/confirm', { code: totp(secret ?? '', Date.now()) })
  expect(confirmed['recovery_codes']?.length).toBeGreaterThan(0)
  await context.clearCookies()
  const domain = world.domains[1]
  await page.goto('/login')
  await page.locator('#domain').fill(domain?.domain_name ?? '')
  await page.locator('#name').fill('bob')
  await page.locator('#password').fill(domain?.users.find((u) => u.name === 'bob')?.password ?? '')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { name: '两步验证' })).toBeVisible()
  await expect(page.locator('#code')).toBeFocused()
  await axeClean(page, 'second step')
  await page.locator('#code').fill('000000')
  await page.keyboard.press('Enter')
  await expect(page.locator('#codee')).toContainText('验证码不正确')
  await page.locator('#code').fill((confirmed['recovery_codes'] as unknown as string[])[0] ?? '')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/console$/)
})
