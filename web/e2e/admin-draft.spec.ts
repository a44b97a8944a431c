// A draft of the catalogue kept on a device, and what colleagues put in force
// meanwhile: neither takes the other back unseen. Notices are agreed to first.
import { toAdmin } from './admin-service'
import { axeClean } from './axe'
import { expect, signInHouse, test, type Api } from './world'

type Files = Record<string, string>
const inForce = async (desk: Api) => (await desk.call('GET', '/desk/v1/config')) as { version: number; files: Files }
/** A colleague changes a file of the catalogue. */
async function colleague(desk: Api, file: string, change: (text: string) => string): Promise<void> {
  const { files } = await inForce(desk)
  const text = change(files[file] ?? '')
  expect(text).not.toBe(files[file])
  const catalog = Object.fromEntries(Object.entries({ ...files, [file]: text }).filter(([path]) => /^(catalog|agreements)\//.test(path)))
  await desk.call('POST', '/desk/v1/config/apply', { files: catalog })
}

test('a kept draft and what others changed meanwhile', async ({ page, world, faults }) => {
  await signInHouse(page, world, world.admin.name)
  const desk = await world.desk(world.admin.name)
  const before = await inForce(desk)
  const main = page.locator('main')
  const note = async (value: string) => {
    await toAdmin(page, '/limits', 'main form')
    await page.locator('main form input.num').first().fill(value)
    await page.locator('main form button[type=submit]').click()
    await expect(page.locator('main .bar')).toBeVisible()
  }
  await note('9')
  const mine = async () => (await inForce(desk)).files['catalog/limits.yaml']

  // Another file: the draft is carried onto it.
  await colleague(desk, 'catalog/severities.yaml', (text) => text.replace('15m', '14m'))
  await page.reload()
  await expect(main).toContainText('期间有别人的修改：catalog/severities.yaml')
  await axeClean(page, 'moved')
  await page.getByRole('button', { name: '把我的修改接到现在的内容上' }).click()
  await expect(main.locator('.moved')).toHaveCount(0)

  // What is irreversible is read first and agreed to.
  await page.route('**/desk/v1/config/plan', async (route) => {
    const got = await route.fetch()
    const plan = (await got.json()) as { notices: string[]; names: Files; changes: { fields: { after?: string }[] }[] }
    const after = plan.changes[0]?.fields[0]?.after ?? ''
    await route.fulfill({ response: got, json: { ...plan, notices: ['现在就会删除 12 条记录'], names: { [after]: '某名称' } } })
  })
  await page.locator('main .bar a').click()
  await expect(main.locator('.notices')).toContainText('现在就会删除 12 条记录')
  await expect(main).toContainText('1 项变化')
  await expect(main.locator('.after')).toContainText('某名称（')
  await axeClean(page, 'notices')
  const go = page.getByRole('button', { name: '生效', exact: true })
  const dialog = page.locator('dialog[open]')
  const old = await mine()
  await go.click()
  await expect(dialog).toContainText('现在就会删除 12 条记录')
  await dialog.getByRole('button', { name: '取消' }).click()
  await expect(dialog).toHaveCount(0)
  expect(await mine()).toBe(old)
  await go.click()
  await dialog.getByRole('button', { name: '生效' }).click()
  await page.waitForURL(/\/desk\/admin\/limits$/)
  const both = await inForce(desk)
  expect(both.files['catalog/limits.yaml']).not.toBe(old)
  expect(both.files['catalog/severities.yaml']).toContain('14m')
  await page.unrouteAll({ behavior: 'wait' }) // the handler asks the server itself: one that is at it ends first

  // The same file, while the plan is on the screen: refused, and both sides are shown.
  await note('8')
  await page.locator('main .bar a').click()
  await expect(go).toBeVisible()
  await colleague(desk, 'catalog/limits.yaml', (text) => `${text}# by a colleague\n`)
  faults.allow.push(/409/)
  await go.click()
  await expect(main).toContainText('这些文件您和别人都改了：catalog/limits.yaml')
  await expect(main.locator('.diff .added', { hasText: 'by a colleague' })).toBeVisible()
  await expect(main.locator('.diff')).toHaveCount(2)
  await axeClean(page, 'both')
  await expect(go).toHaveCount(0)
  expect(await mine()).toContain('# by a colleague')
  await page.locator('.moved').getByRole('button', { name: '放弃修改' }).click()
  await dialog.getByRole('button', { name: '放弃修改' }).click()
  await expect(main.locator('.moved')).toHaveCount(0)
  // As it was for the tests that come after.
  await desk.call('POST', '/desk/v1/config/apply', { files: Object.fromEntries(Object.entries(before.files).filter(([path]) => /^(catalog|agreements)\//.test(path))) })
})
