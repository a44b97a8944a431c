import { defineConfig } from '@playwright/test'

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
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
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
