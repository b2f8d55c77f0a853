import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { build } from '../helper.ts'
import { startSmtpSink } from '../stand-ins/smtp.ts'
import {
  connectByToken, newestPosts, openStage, overhangOf, signUp, sync, until, violationsOf, type Stage
} from './stage.ts'

const naughty = [
  '<script>document.title = "owned"</script>',
  '<img src=x onerror="document.title=\'owned\'">',
  '"><svg onload=alert(1)>',
  "javascript:alert(1)//'",
  '{{constructor.constructor("alert(1)")()}}',
  '../../../../etc/passwd%00',
  '𝕿𝖍𝖊 𝖖𝖚𝖎𝖈𝖐 (╯°□°)╯︵ ┻━┻) 👩‍👩‍👧‍👧 🏳️‍🌈',
  'הָיְתָהtestالصفحات التّحول',
  '‮reversed‬ ⁦isolated⁩',
  'Ṱ̺̺̕o͞ ̷i̲̬͇̪͙n̝̗͕v̟̜̘̦͟o̶̙̰̠kè͚̮̺̪̹̱̤',
  `${'unbroken'.repeat(200)}`,
  '表ポあA鷗ŒéＢ逍Üßªąñ丂㐀𠀀'
]

t.test('text from outside is text, whatever it holds', async (t) => {
  const posts = newestPosts(naughty.length).map((post, index) => ({ ...post, text: naughty[index] ?? '', media: null }))
  const stage = await openStage(t, { posts })
  const { page, complaints } = stage
  await signUp(stage, {
    name: '<b>Ann</b> "Ωmega" ‮', workspace: '<script>alert(1)</script> & unbrokenunbrokenunbroken'
  })
  await connectByToken(stage)
  await sync(stage)
  await page.getByRole('link', { name: 'Home' }).click()
  await until('the posts', async () => await page.locator('.post').count() === naughty.length)
  const shown = await page.locator('.post-text').allTextContents()
  for (const text of naughty) {
    const trimmed = text.replaceAll(/\s+/g, ' ').trim()
    t.ok(shown.some((one) => one.replaceAll(/\s+/g, ' ').includes(trimmed)), `shown as it is: ${text.slice(0, 40)}`)
  }
  t.equal(await page.locator('#console script, #console svg[onload], #console img[onerror]').count(), 0)
  t.match(await page.title(), 'Home')
  for (const width of [360, 1440]) {
    await page.setViewportSize({ width, height: 800 })
    t.equal(await overhangOf(page), 0, `at ${width}`)
  }
  t.same(complaints, [])
})

t.test('every refusal has its words and its act; the keyboard reaches everything', async (t) => {
  const stage = await openStage(t, { posts: newestPosts(20) })
  await signUp(stage)
  await connectByToken(stage)
  await sync(stage)

  await t.test('states of a list', async (t) => { await provoke(t, stage) })
  await t.test('keyboard', async (t) => { await walk(t, stage) })
  t.same(stage.complaints.filter((text) => !text.includes('ERR_FAILED')), [])
})

const states: ReadonlyArray<[number, string, RegExp]> = [
  [403, 'identity.permission_denied', /does not allow.*Ask an owner/s],
  [404, 'social.account_not_found', /mistyped/],
  [409, 'social.account_duplicate', /faster/],
  [429, 'http.rate_limited', /Wait 30 s.*Try again/s],
  [503, 'http.unavailable', /Nothing was changed.*Try again/s]
]

async function provoke (t: Test, { page, open }: Stage): Promise<void> {
  for (const [status, code, words] of states) {
    await page.route('**/v1/social/accounts?*', async (route) => {
      await route.fulfill({
        status,
        contentType: 'application/problem+json',
        body: JSON.stringify({
          status,
          code,
          title: 'The role does not allow this.',
          requestId: '01a2-request',
          ...status === 429 ? { retryAfterMs: 30_000 } : {}
        })
      })
    })
    await open('/console/accounts')
    const text = await page.locator('.refused').textContent()
    t.match(text, words, `${status}`)
    t.match(text, code)
    t.match(text, 'request')
    if (status === 503) t.same(await violationsOf(page), [])
    await page.unroute('**/v1/social/accounts?*')
  }
  await page.route('**/v1/social/accounts?*', async (route) => { await route.abort() })
  await open('/console/accounts')
  t.match(await page.locator('.refused').textContent(), /does not answer.*network/s)
  await page.unroute('**/v1/social/accounts?*')
  await page.getByRole('button', { name: /Try again/ }).click()
  await page.getByRole('table', { name: 'Accounts' }).waitFor()
  await open('/console/nowhere')
  t.match(await page.locator('.empty').textContent(), /no such place/)
  await open('/console/accounts/01a211db-ee39-768c-ec1a-f0249870a810')
  t.match(await page.locator('.empty').textContent(), /No such account/)
}

async function walk (t: Test, { page, open }: Stage): Promise<void> {
  await open('/console/accounts')
  await page.getByRole('table', { name: 'Accounts' }).waitFor()
  await page.keyboard.press('/')
  t.equal(await focused(page), 'search')
  await page.keyboard.type('nobody')
  await page.getByText('No account fits').waitFor()
  await page.getByLabel('Search accounts').fill('')
  await page.getByRole('table', { name: 'Accounts' }).waitFor()
  await page.keyboard.press('Escape')

  const seen = new Set<string>()
  await page.evaluate(() => { document.body.focus() })
  for (let n = 0; n < 24; n++) {
    await page.keyboard.press('Tab')
    const { name, isVisible } = await page.evaluate(look)
    if (name !== '') t.ok(isVisible, `focus is seen on ${name}`)
    seen.add(name)
  }
  for (const name of ['Home', 'Accounts', 'Analytics', 'Inbox', 'Settings', 'Connect an account']) {
    t.ok([...seen].some((one) => one.includes(name)), `reached ${name}`)
  }
  await page.getByRole('button', { name: 'Connect an account' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  t.same(await violationsOf(page), [])
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  t.match((await page.evaluate(look)).name, 'Connect an account', 'the focus returns')
  await page.getByRole('table', { name: 'Accounts' }).getByRole('link').focus()
  await page.keyboard.press('Enter')
  await page.getByRole('tab', { name: /Posts/ }).first().focus()
  await page.keyboard.press('ArrowRight')
  await page.getByRole('table', { name: 'Downloads' }).getByRole('link').first().focus()
  await page.keyboard.press('Enter')
  await page.getByRole('complementary').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('complementary').waitFor({ state: 'detached' })
}

// Runs in the page.
declare const document: { activeElement: Element | null, body: { focus: () => void } }
declare const getComputedStyle: (element: Element, part?: string) => { outlineStyle: string, outlineWidth: string }
interface Element { id: string, tagName: string, textContent: string, getAttribute: (name: string) => string | null }

function look (): { name: string, isVisible: boolean } {
  const element = document.activeElement
  if (element === null || element.tagName === 'BODY') return { name: '', isVisible: true }
  const styles = [getComputedStyle(element), getComputedStyle(element, '::after')]
  const name = `${element.getAttribute('aria-label') ?? ''} ${element.textContent}`.trim() || element.tagName
  const isVisible = styles.some(({ outlineStyle, outlineWidth }) => outlineStyle !== 'none' && outlineWidth !== '0px')
  return { name, isVisible }
}

async function focused (page: Stage['page']): Promise<string> {
  return await page.evaluate(() => document.activeElement?.id ?? '')
}

t.test('the first operator chooses a password before anything else', async (t) => {
  const sink = await startSmtpSink()
  t.teardown(async () => { await sink.close() })
  const config = { MAIL_DRIVER: 'smtp', SMTP_URL: sink.url }
  const { app, page, open, complaints } = await openStage(t, { posts: [], config })
  const { email, password } = await app.identity.makeFirstOperator('op@example.org') ?? { email: '', password: '' }
  await open('/console')
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Choose your password' }).waitFor()
  t.same(await violationsOf(page), [])
  await page.reload()
  await page.getByLabel('New password').fill('fifteen letters and more')
  await page.getByRole('button', { name: 'Save and go on' }).click()
  await page.getByRole('heading', { name: 'Home' }).waitFor()
  // A mail server is set here, so that not even captured mails are asked for: no call of any page is refused.
  const refused: string[] = []
  page.on('response', (response) => { if (response.status() >= 400) refused.push(response.url()) })
  for (const heading of ['Accounts', 'Analytics', 'Inbox', 'Settings', 'Home']) {
    await open(heading === 'Home' ? '/console' : `/console/${heading.toLowerCase()}`)
    await page.getByRole('heading', { name: heading, level: 1 }).waitFor()
    await page.waitForLoadState('networkidle')
  }
  t.same(refused, [])
  t.same(complaints, [])
})

t.test('the dot tells the truth while the server is away, and nothing is lost over it', async (t) => {
  const name = `t${randomBytes(6).toString('hex')}`
  const config = {
    HTTP_PORT: String(20_000 + Math.floor(Math.random() * 20_000)),
    MONGO_DB: name,
    KEY_PREFIX: name,
    LIVE_DRAIN_MS: '200',
    MASTER_KEYS: `test:${randomBytes(32).toString('hex')}`
  }
  const stage = await openStage(t, { posts: newestPosts(20), config })
  const { page, app, platforms } = stage
  await signUp(stage)
  await connectByToken(stage)
  // What is published below waits for the sync that the test asks for, not for one of the rhythm.
  await app.db.collection('social.accounts').updateOne({}, { $set: { 'syncPolicy.everyMinutes': 1440 } })
  await sync(stage)
  await until('the dot is live', async () => await page.locator('.dot').textContent() === 'live')
  const goneAt = performance.now()
  const closed = app.close()
  await until('the dot is not live', async () => await page.locator('.dot').textContent() !== 'live')
  t.ok(performance.now() - goneAt < 2500, 'the dot tells it within two seconds')
  await closed
  platforms.world.publish(platforms.world.actorId, [{ text: 'published meanwhile' }])
  const again = await build(t, { config: { ...config, FETCH_ALLOW: new URL(platforms.origin).host } })
  await again.listen({ host: '127.0.0.1', port: Number(config.HTTP_PORT) })
  await until('the dot is live again', async () => await page.locator('.dot').textContent() === 'live', 25_000)
  await sleep(100)
  t.equal(await page.locator('[data-figure=stored]').textContent(), '20')
  await sync(stage)
  await page.locator('.post', { hasText: 'published meanwhile' }).waitFor()
  await until('the figure', async () => await page.locator('[data-figure=stored]').textContent() === '21')
})
