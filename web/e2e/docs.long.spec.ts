// Every kind of page of the documentation, the longest ones too, in both
// languages, schemes and four widths.
import { walkDocs } from './docs-screens'
import { test } from './world'

test('axe over all kinds of pages', async ({ page }) => {
  test.setTimeout(600_000)
  const places = ['/docs', '/docs/guide/user-guide', '/docs/guide/calling-apis', '/docs/guide/appendix', '/docs/guide/operate', '/docs/guide/roles', '/docs/api/v2', '/docs/api/desk', '/docs/api/v2/CreateCases', '/docs/api/v2/CreateMessages', '/docs/api/desk/CreateQueue', '/docs/api/iam/CreateToken', '/docs/search?q=OSM', '/docs/search?q=OSM.01010024', '/docs/nowhere']
  await walkDocs(page, places, [
    { language: 'zh-cn', theme: 'dark', width: 1440 },
    { language: 'en-us', theme: 'light', width: 390 },
    { language: 'zh-cn', theme: 'light', width: 360 },
    { language: 'en-us', theme: 'dark', width: 1920 },
  ])
})
