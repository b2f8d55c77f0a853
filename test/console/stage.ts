// A server with its worker, a platform to read from, and a Chromium that looks at the console.
import { setTimeout as sleep } from 'node:timers/promises'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import { chromium } from '../browser.ts'
import { build, type BuildOptions, type TestApp } from '../helper.ts'
import { readPosts, startPlatforms, type Platforms, type Post } from '../stand-ins/platforms/index.ts'

export interface Stage {
  app: TestApp
  address: string
  page: Page
  platforms: Platforms
  /** Console errors of the page that no refused call explains, and requests to anybody else. */
  complaints: string[]
  open: (path: string) => Promise<void>
}

interface Test { teardown (undo: () => unknown): unknown }

interface StageOptions { posts?: Post[], config?: BuildOptions['config'], mediaBytesPerSecond?: number }

export const password = 'a long enough passphrase'

/** The newest posts of the content. */
export function newestPosts (count: number): Post[] {
  return readPosts().slice(-count)
}

export async function openStage (
  t: Test, { posts = newestPosts(60), config = {}, mediaBytesPerSecond = 2_000_000 }: StageOptions = {}
): Promise<Stage> {
  const platforms = await startPlatforms({ posts, mediaBytesPerSecond })
  t.teardown(async () => { await platforms.close() })
  const app = await build(t, { role: 'both', config: { FETCH_ALLOW: new URL(platforms.origin).host, ...config } })
  const address = await app.listen({ host: '127.0.0.1', port: Number(config.HTTP_PORT ?? 0) })
  const { page, close } = await chromium()
  t.teardown(close)
  page.setDefaultTimeout(15_000)
  return {
    app,
    address,
    page,
    platforms,
    complaints: watch(page, address, platforms.origin),
    open: async (path) => { await page.goto(address + path) }
  }
}

function watch (page: Page, address: string, platform: string): string[] {
  const complaints: string[] = []
  page.on('console', (message) => {
    const isRefusal = message.text().startsWith('Failed to load resource')
    if (message.type() === 'error' && !isRefusal) complaints.push(message.text())
  })
  page.on('pageerror', (error) => { complaints.push(error.message) })
  page.on('request', (request) => {
    const url = request.url()
    const isAway = request.isNavigationRequest() && url.startsWith(platform)
    const isOurs = url.startsWith(address) || url.startsWith(address.replace('http', 'ws')) || url.startsWith('data:')
    const isIconOfPlatform = url === `${platform}/favicon.ico`
    if (!isOurs && !isAway && !isIconOfPlatform) complaints.push(`foreign request to ${url}`)
  })
  return complaints
}

/** Signs up by the page alone, with the code of the captured mail. */
export async function signUp ({ page, open }: Stage, { name = 'Ann Example', workspace = '' } = {}): Promise<string> {
  const email = `p${crypto.randomUUID().slice(0, 8)}@example.org`
  await open('/console')
  await page.getByRole('button', { name: 'Create an account' }).click()
  await page.getByLabel('Your name').fill(name)
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password').fill(password)
  if (workspace !== '') await page.getByLabel('Workspace').fill(workspace)
  await page.getByRole('button', { name: 'Send me a code' }).click()
  await page.getByRole('button', { name: 'read the captured mails' }).click()
  const text = await page.locator('.mail').first().textContent()
  const code = /\b\d{6}\b/.exec(text ?? '')?.[0] ?? ''
  await page.getByLabel('Code').fill(`${code.slice(0, 3)} ${code.slice(3)}`)
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByRole('heading', { name: 'Home' }).waitFor()
  return email
}

/** Pastes a good token of the platform into the dialog and sends it. */
export async function fillToken ({ page, platforms }: Stage): Promise<void> {
  const { accessToken } = platforms.world.issueToken({
    clientId: null, accountId: platforms.world.actorId, scopes: ['read']
  })
  await page.getByRole('button', { name: 'Connect an account' }).first().click()
  await page.getByLabel('Server address').fill(platforms.origin)
  await page.getByRole('radio', { name: 'Paste a token' }).check()
  await page.getByLabel('Access token').fill(accessToken)
  await page.getByRole('button', { name: 'Connect', exact: true }).click()
}

/** Connects by a pasted token; ends on the page of the account. */
export async function connectByToken (stage: Stage): Promise<void> {
  await fillToken(stage)
  await stage.page.getByRole('tab', { name: /Posts/ }).first().waitFor()
}

/** Presses "Sync now" on the page of the account and waits until it says that it is done. */
export async function sync ({ page }: Stage): Promise<void> {
  await page.getByRole('button', { name: 'Sync now' }).first().click()
  await page.getByText('up to date').first().waitFor()
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Violation { id: string, nodes: Array<{ html: string, failureSummary?: string }> }

declare const axe: { run: () => Promise<{ violations: Violation[] }> }

/** What axe-core finds on the page as it stands: what a second look no longer finds was on its way in or out. */
export async function violationsOf (page: Page): Promise<string[]> {
  await page.evaluate(axeSource)
  const found = await axeFinds(page)
  if (found.length === 0) return found
  await sleep(1000)
  return await axeFinds(page)
}

async function axeFinds (page: Page): Promise<string[]> {
  const violations = await page.evaluate(async () => (await axe.run()).violations)
  return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(said).join(' | ')}`)
}

function said ({ html, failureSummary = '' }: Violation['nodes'][number]): string {
  return `${html.slice(0, 200)} ${failureSummary}`
}

declare const document: { documentElement: { scrollWidth: number, clientWidth: number } }

/** By how many pixels the page is wider than its window. */
export async function overhangOf (page: Page): Promise<number> {
  return await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}

/** Waits until a figure of the page stands still where it is expected. */
export async function until (what: string, look: () => Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!await look()) {
    if (performance.now() > end) throw new Error(`${what} did not come within ${timeoutMs} ms`)
    await sleep(50)
  }
}
