import t from 'tap'
import { fillToken, newestPosts, openStage, overhangOf, password, signUp, sync, until, violationsOf } from './stage.ts'

const places = [
  '/console', '/console/accounts', 'account', 'downloads', 'trend', '/console/analytics', '/console/inbox',
  '/console/mails', '/console/settings'
]

t.test('a newcomer signs up, connects, sees it move, is alerted, and comes back signed in', async (t) => {
  const stage = await openStage(t, { posts: newestPosts(60), mediaBytesPerSecond: 150_000 })
  const { page, platforms, complaints } = stage
  const email = await signUp(stage)
  t.match(await page.locator('.steps').textContent(), /Connect.*Sync.*See/s)

  // OAuth, with the consent page of the platform between.
  await page.getByRole('button', { name: 'Connect an account' }).first().click()
  await page.getByLabel('Server address').fill('http://127.0.0.1:1')
  await page.getByRole('button', { name: 'Continue at the server' }).click()
  await page.locator('.field.wrong', { hasText: 'may not be called' }).waitFor()
  await page.getByLabel('Server address').fill(platforms.origin)
  await page.getByRole('button', { name: 'Continue at the server' }).click()
  await page.getByRole('button', { name: 'Authorize' }).click()
  await page.getByRole('table', { name: 'Accounts' }).getByRole('link').click()
  await page.getByRole('tab', { name: /Posts/ }).first().waitFor()
  const account = new URL(page.url()).pathname

  // The same account again, by token: the refusal says so.
  await page.getByRole('link', { name: 'Accounts' }).first().click()
  await fillToken(stage)
  await page.locator('.form-problem', { hasText: 'connected already' }).waitFor()
  await page.keyboard.press('Escape')
  await page.locator('dialog').waitFor({ state: 'detached' })

  await page.goto(stage.address + account)
  await sync(stage)
  // Each comes by its own message.
  for (const figure of ['stored', 'items']) {
    await until(figure, async () => await page.locator(`[data-figure=${figure}]`).textContent() === '60')
  }
  await until('a page of posts', async () => await page.locator('.post').count() === 50)
  await page.getByRole('tab', { name: /Downloads/ }).click()
  await until('six downloads', async () => await page.locator('tbody .status', { hasText: 'done' }).count() === 6)
  await page.getByRole('table', { name: 'Downloads' }).getByRole('link').first().click()
  t.match(await page.getByRole('list', { name: 'Story of the download' }).textContent(), /done/)
  await page.keyboard.press('Escape')
  await page.getByRole('complementary').waitFor({ state: 'detached' })

  await page.getByRole('link', { name: 'Home' }).click()
  await page.locator('.post .picture img').first().waitFor()
  await until('the dot is live', async () => await page.locator('.dot').textContent() === 'live')

  // An alert over a burst: rule, posts, sync; it comes to the inbox without a reload.
  await page.getByRole('link', { name: 'Analytics' }).click()
  await page.getByRole('button', { name: 'New rule' }).first().click()
  await page.getByLabel('Name').fill('A burst of posts')
  await page.getByRole('button', { name: 'Make the rule' }).click()
  await page.locator('dialog').waitFor({ state: 'detached' })
  platforms.world.publish(platforms.world.actorId, Array.from({ length: 25 }, (_, n) => ({ text: `burst ${n}` })))
  await page.getByRole('link', { name: 'Accounts' }).first().click()
  await page.getByRole('table', { name: 'Accounts' }).getByRole('link').click()
  await sync(stage)
  await page.locator('.rail .badge').waitFor({ timeout: 20_000 })
  await page.getByRole('link', { name: /Inbox/ }).click()
  t.match(await page.locator('.item').textContent(), /A burst of posts/)
  await page.getByRole('button', { name: 'Mark read' }).click()
  await page.locator('.rail .badge').waitFor({ state: 'detached' })
  await page.getByRole('link', { name: 'Analytics' }).click()
  t.match(await page.getByRole('table', { name: 'Alert rules' }).textContent(), /firing/)
  await page.getByRole('table', { name: 'Alert rules' }).getByRole('link').click()
  t.match(await page.getByRole('list', { name: 'Story of the rule' }).textContent(), /25.*threshold is 20/s)
  await page.keyboard.press('Escape')

  // Reload keeps the session, and everything stands as it moved.
  await page.goto(stage.address + account)
  await page.locator('[data-figure=stored]').waitFor()
  t.equal(await page.locator('[data-figure=stored]').textContent(), '85')

  await t.test('no page breaks a rule of axe-core or scrolls sideways, light and dark', async (t) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      for (const place of places) {
        const path = place.startsWith('/') ? place : `${account}${place === 'account' ? '' : `?tab=${place}`}`
        await page.setViewportSize({ width: 1440, height: 900 })
        await page.goto(stage.address + path)
        await page.locator('h1').waitFor()
        await until('the page', async () => await page.locator('.skeleton').count() === 0)
        t.same(await violationsOf(page), [], `${place} ${colorScheme}`)
        if (colorScheme === 'dark') continue
        for (const width of [360, 768, 1440]) {
          await page.setViewportSize({ width, height: 800 })
          t.equal(await overhangOf(page), 0, `${place} at ${width}`)
        }
      }
    }
    await page.emulateMedia({ colorScheme: 'light' })
    await page.setViewportSize({ width: 1280, height: 800 })
  })

  await page.getByRole('link', { name: 'Settings' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password').fill('not the right one')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.locator('.form-problem', { hasText: 'Address or password is wrong.' }).waitFor()
  t.same(await violationsOf(page), [])
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Home' }).waitFor()
  t.same(complaints, [])
})
