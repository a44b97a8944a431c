// The administrator's day: adds a mail server, tries it and reads the whole
// conversation, finds the mail in the delivery log, and sees a code in the
// catcher. The mail server is a sink of this file's own.
import { execFileSync } from 'node:child_process'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, test as base } from '@playwright/test'
import { axeClean } from './axe'
import { binary, signInHouse, start, watch, type Faults, type World } from './world'

interface Sink {
  port: number
  mails: string[]
  stop: () => void
}

/** An SMTP server (RFC 5321) that keeps what it is given. */
async function sink(): Promise<Sink> {
  const mails: string[] = []
  const open = new Set<Socket>()
  const server = createServer((c) => {
    open.add(c)
    c.on('close', () => open.delete(c))
    c.on('error', () => c.destroy())
    const say = (line: string) => c.write(`${line}\r\n`)
    let rest = ''
    let mail: string | undefined
    say('220 sink.example ESMTP at your service')
    c.on('data', (d: Buffer) => {
      rest += d.toString('utf8')
      for (let i = rest.indexOf('\r\n'); i >= 0; i = rest.indexOf('\r\n')) {
        const line = rest.slice(0, i)
        rest = rest.slice(i + 2)
        if (mail !== undefined) {
          if (line !== '.') mail += `${line}\r\n`
          else {
            mails.push(mail)
            mail = undefined
            say('250 2.0.0 OK: queued as 7F3C9')
          }
          continue
        }
        const word = line.split(/[ :]/)[0]?.toUpperCase()
        if (word === 'EHLO') c.write('250-sink.example\r\n250 8BITMIME\r\n')
        else if (word === 'DATA') {
          mail = ''
          say('354 go ahead')
        } else if (word === 'RCPT' && line.includes('nobody@')) say('550 5.1.1 no such user here')
        else if (word === 'QUIT') {
          say('221 2.0.0 bye')
          c.end()
        } else say('250 2.0.0 OK')
      }
    })
  })
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r))
  return {
    port: (server.address() as AddressInfo).port,
    mails,
    stop: () => {
      for (const c of open) c.destroy()
      server.close()
    },
  }
}

const test = base.extend<{ faults: Faults }, { office: { world: World; sink: Sink } }>({
  office: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const mail = await sink()
      const { world, stop } = await start('notify:\n  allow: [127.0.0.0/8]\n')
      await use({ world, sink: mail })
      await stop()
      mail.stop()
    },
    { scope: 'worker', timeout: 60_000 },
  ],
  baseURL: async ({ office }, use) => use(office.world.base),
  faults: [
    async ({ context, office }, use) => {
      const faults: Faults = { list: [], allow: [] }
      watch(context, office.world.base, faults)
      await use(faults)
      expect(faults.list.filter((f) => !faults.allow.some((a) => a.test(f)))).toEqual([])
    },
    { auto: true },
  ],
})

test('a mail server is added, tried and watched; a code is caught', async ({ page, office, faults }) => {
  faults.allow.push(/status of 400.*\/providers/)
  await page.goto('/login')
  await expect(page.getByRole('link', { name: '消息捕获器' })).toHaveAttribute('href', '/desk/admin/catcher')
  await signInHouse(page, office.world, office.world.admin.name, '/desk/admin/providers')
  await expect(page.locator('main .empty')).toBeVisible()
  await page.getByRole('link', { name: '添加通道' }).first().click()
  await page.getByLabel('名称', { exact: true }).fill('relay-1')
  await page.getByLabel('服务器', { exact: true }).fill('127.0.0.1')
  await page.getByLabel('加密').selectOption('none')
  await page.getByLabel('端口').fill(String(office.sink.port))
  await page.getByLabel('发件人').fill('nobody at all')
  await page.getByRole('button', { name: '添加' }).click()
  await expect(page.getByLabel('发件人')).toHaveAttribute('aria-invalid', 'true')
  await page.getByLabel('发件人').fill('云助手 <desk@desk.example>')
  await page.getByRole('button', { name: '添加' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'relay-1' })).toBeVisible()

  // The test, with all that was said.
  const said = page.getByRole('region', { name: '完整对话' })
  await page.getByLabel('收件邮箱').fill('ops@desk.example')
  await page.getByRole('button', { name: '发送测试' }).click()
  for (const line of ['220 sink.example ESMTP at your service', 'MAIL FROM:<desk@desk.example>', 'RCPT TO:<ops@desk.example>', '354 go ahead', '2.0.0 OK: queued as 7F3C9', 'QUIT']) await expect(said).toContainText(line)
  await expect(page.getByRole('group', { name: '测试结果' })).toContainText('通道已接受')
  expect(office.sink.mails.length).toBe(1)
  await axeClean(page, 'provider with a transcript')
  await page.getByLabel('收件邮箱').fill('nobody@desk.example')
  await page.getByRole('button', { name: '发送测试' }).click()
  await expect(said).toContainText('550 5.1.1 no such user here')
  await expect(page.getByRole('group', { name: '测试结果' })).toContainText('通道未接受')

  // Both stand in the log, masked.
  await page.getByRole('link', { name: '经此通道的发送记录' }).click()
  const rows = page.locator('main table tbody tr')
  await expect(rows).toHaveCount(2)
  await expect(rows.nth(0)).toContainText('失败')
  await expect(rows.nth(1)).toContainText('已发出')
  await expect(rows.nth(1)).toContainText('o***@desk.example')
  await expect(page.locator('main')).not.toContainText('ops@desk.example')

  // A command and the page say the same.
  const listed = execFileSync(binary, ['provider', 'list', '--data', office.world.data], { encoding: 'utf8' })
  expect(listed).toContain('relay-1')

  // A code on its way to a customer arrives in the catcher by itself.
  await page.goto('/desk/admin/catcher?to=lihua@example.com')
  const customer = office.world.domains[0]?.users.find((u) => u.name === 'lihua')
  if (customer === undefined) throw new Error('no lihua')
  await expect(page.locator('main h1')).toBeVisible()
  await sendCode(office.world, 'lihua')
  const code = page.locator('main .code strong')
  await expect(code).toHaveText(/^\d{6}$/)
  expect(await code.textContent()).toBe(execFileSync(binary, ['outbox', '--data', office.world.data, '--to', 'lihua@example.com', '--code'], { encoding: 'utf8' }).trim())
})

/** Asks for a code by mail, as the console does. */
async function sendCode(world: World, name: string): Promise<void> {
  const d = world.domains[0]
  const u = d?.users.find((u) => u.name === name)
  if (d === undefined || u === undefined) throw new Error(`no user ${name}`)
  const token = await fetch(`${world.base}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: u.name, password: u.password, domain: { name: d.domain_name } } } }, scope: { domain: { name: d.domain_name } } } }),
  })
  const r = await fetch(`${world.base}/v2/servicerequest/verifycodes/send`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Auth-Token': token.headers.get('x-subject-token') ?? '' },
    body: JSON.stringify({ contact_way: 1, contact_value: u.email, area_code: '' }),
  })
  if (!r.ok) throw new Error(`a code: ${r.status} ${await r.text()}`)
}
