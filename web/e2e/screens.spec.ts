// Every screen, axe clean and without scrolling sideways: in turns in one of two
// combinations of language, scheme and width here, in all eight in the long set.
import { walk } from './screens'
import { test } from './world'

test('all screens are clean for axe and fit their width', async ({ page, world }) => {
  test.setTimeout(240_000)
  await walk(page, world, [
    { language: 'zh-cn', theme: 'light', width: 1440 },
    { language: 'en-us', theme: 'dark', width: 390 },
  ], true)
})
