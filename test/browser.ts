// The Chromium of the tests: CHROMIUM_BINARY, else the first on PATH; an empty profile each time.
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { chromium as driver, type Page } from 'playwright-core'

const flags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'
]

/** Opens a page in a browser of its own. Throws one sentence where no Chromium is found. */
export async function chromium (): Promise<{ page: Page, close: () => Promise<void> }> {
  const profile = mkdtempSync(join(tmpdir(), 'switchyard-chromium-'))
  const context = await driver.launchPersistentContext(profile, { executablePath: findChromium(), args: flags })
  const page = context.pages()[0] ?? await context.newPage()
  return {
    page,
    async close () {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
    }
  }
}

function findChromium (): string {
  const { CHROMIUM_BINARY: named, PATH = '' } = process.env
  const places = PATH.split(delimiter).flatMap((folder) =>
    ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name)))
  const found = [...named === undefined ? [] : [named], ...places].find(isProgram)
  if (found !== undefined) return found
  throw new Error('No Chromium for this test: install the package chromium, or set CHROMIUM_BINARY.')
}

function isProgram (path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
