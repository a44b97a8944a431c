import { walk } from './screens'
import { test } from './world'

test('all screens in both languages and schemes, wide and narrow, at the least width, and at 400 % zoom', async ({ page, world }) => {
  test.setTimeout(900_000)
  const all = ['zh-cn', 'en-us'].flatMap((language) => ['light', 'dark'].flatMap((theme) => [390, 1440].map((width) => ({ language, theme, width }))))
  await walk(page, world, [...all, { language: 'en-us', theme: 'light', width: 360 }, { language: 'zh-cn', theme: 'light', width: 320 }, { language: 'zh-cn', theme: 'light', width: 1920 }])
})
