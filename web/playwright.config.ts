import { defineConfig } from '@playwright/test'

// Chromium's window draws its address bar's list in two pages of their own for
// each new window, and keeps a process ready for the next page: a third of all
// the work here, and no part of what is tested. The list takes the place of
// Playwright's, which is the rest of it (Chromium heeds the last one given).
const without = [
  'WebUIOmniboxPopup', 'WebUIOmniboxAimPopup', 'WebUIOmniboxFullPopup', 'SpareRendererForSitePerProcess',
  'AvoidUnnecessaryBeforeUnloadCheckSync', 'DestroyProfileOnBrowserClose', 'HttpsUpgrades', 'HttpsFirstBalancedModeAutoEnable', 'LensOverlay', 'MediaRouter', 'PaintHolding',
  'ThirdPartyStoragePartitioning', 'AvoidCorsURLLoaderRestartOnRedirect', 'OptimizationHints', 'NetworkTimeServiceQuerying', 'AimEnabled', 'PreconnectToSearch',
].join(',')

// The tests run against the shipped binary (CASEMATE_BIN, else ../bin/casemate)
// on fresh data folders, in Debian's chromium (CHROMIUM names another).
export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  workers: 2, // two worlds, each a program of its own
  retries: 1, // a test that needs it is named as flaky in the report
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [['line']],
  forbidOnly: true,
  use: {
    browserName: 'chromium',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', `--disable-features=${without}`],
    },
    trace: 'off',
    actionTimeout: 10_000,
    timezoneId: 'Asia/Shanghai',
    locale: 'zh-CN',
    viewport: { width: 1440, height: 900 },
  },
  projects: [
    { name: 'short', testMatch: /.*\.spec\.ts/, testIgnore: /.*\.long\.spec\.ts/ },
    { name: 'long', testMatch: /.*\.long\.spec\.ts/, workers: 1, retries: 0 }, // what is measured is alone, and not until it fits
    { name: 'screenshots', testMatch: /screenshots\.ts/, workers: 1 },
  ],
})
