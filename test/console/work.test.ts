// The page of operators: queues as they move, one run told, a dead letter replayed, a schedule explained.
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { proveBackup, startDailyReports, type WorkerRow } from '../../src/jobs/index.ts'
import { uuidv7, type Actor, type AddOptions } from '../../src/kernel/index.ts'
import { openStage, overhangOf, password, signUp, until, violationsOf, type Stage } from './stage.ts'

interface Sized { scrollWidth: number, clientWidth: number }

async function enterAsOperator ({ app, page, open }: Stage): Promise<void> {
  const made = await app.identity.makeFirstOperator('op@example.org')
  if (made === null) throw new Error('there is an operator already')
  await open('/console')
  await page.getByLabel('Email').fill(made.email)
  await page.getByLabel('Password').fill(made.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByLabel('New password').fill(password)
  await page.getByRole('button', { name: 'Save and go on' }).click()
  await page.getByRole('heading', { name: 'Home' }).waitFor()
}

async function lookAt (t: Test, page: Page, name: string): Promise<void> {
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
    t.same(await violationsOf(page), [], `${name}, ${scheme}`)
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  for (const width of [360, 768, 1440]) {
    await page.setViewportSize({ width, height: 900 })
    t.equal(await overhangOf(page), 0, `${name} at ${width}`)
  }
}

t.test('work flows before the eyes of an operator, and what does not says why', async (t) => {
  const stage = await openStage(t, { posts: [] })
  const { app, page, open, complaints } = stage
  await enterAsOperator(stage)
  await page.getByRole('link', { name: 'Work' }).click()
  const queues = page.getByRole('table', { name: 'Queues' })
  await queues.waitFor()
  const row = queues.getByRole('row', { name: /^upkeep/ })

  await t.test('queues move without a reload, and one is paused', async (t) => {
    await row.getByRole('button', { name: 'Pause' }).click()
    await page.getByLabel('Reason').fill('looking at it')
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click()
    await row.getByText('paused').waitFor()
    await row.getByText('looking at it').waitFor()
    await addProof(app)
    await until('one waits', async () => /waiting/.test(await page.locator('.sub').textContent() ?? '') &&
      await row.locator('td').nth(3).textContent() === '1')
    await lookAt(t, page, 'queues')
  })

  await t.test('a waiting run says what it waits for', async (t) => {
    await row.getByRole('link').click()
    await page.getByRole('table', { name: 'Runs' }).waitFor()
    t.match(page.url(), '/console/work/runs?queue=upkeep')
    await page.getByLabel('State').selectOption('pending')
    await until('the held run', async () => /queue is paused/.test(await page.locator('tbody').textContent() ?? ''))
    await lookAt(t, page, 'runs')
    await page.getByRole('link', { name: 'jobs.prove-backup' }).click()
    await page.getByText('It waits: its queue is paused.').waitFor()
    await app.queueControl.resume('upkeep', {})
    await page.getByText('failed for good').waitFor()
    t.match(await page.locator('.story').textContent(), /made.*failed for good/s)
    await lookAt(t, page, 'run')
  })

  await t.test('a dead letter is replayed, first without doing it', async (t) => {
    await open('/console/work/letters')
    const letter = page.getByRole('table', { name: 'Dead letters by kind' }).getByRole('link')
    await letter.click()
    const panel = page.getByRole('complementary')
    await panel.getByRole('table', { name: 'Letters' }).waitFor()
    await lookAt(t, page, 'letters')
    await panel.getByRole('button', { name: 'Replay' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('1 letter would be replayed').waitFor()
    const runs = app.db.collection('jobs.runs')
    t.equal(await runs.countDocuments({ replayOf: { $exists: true } }), 0, 'a dry run makes nothing')
    await dialog.getByRole('button', { name: 'Replay' }).click()
    await until('its replay', async () => await runs.countDocuments({ replayOf: { $exists: true } }) === 1)
    await until('it died again', async () => {
      await page.getByRole('button', { name: 'Read again' }).click()
      return await letter.count() === 1
    })
    await letter.click()
    await panel.getByRole('button', { name: 'Discard' }).click()
    await page.getByLabel('Reason').fill('there is no key')
    await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click()
    await page.getByText('No dead letter').waitFor()
  })

  await t.test('a blocked run names what it waits for, and the letter of a cause what ended with it', async (t) => {
    const [cause, other] = [await addPlanned(app), await addPlanned(app)]
    const blocked = await addProof(app, { needs: [cause, other], onNeedFailure: 'fail' })
    await open(`/console/work/runs/${blocked}`)
    await page.getByText('It waits for 2 runs that it needs.').waitFor()
    const needs = page.getByRole('list', { name: 'Runs that it needs' })
    t.same((await needs.getByRole('listitem').allTextContents()).map((text) => text.replace(/\s+/g, ' ').trim()),
      [cause, other].map((id) => `jobs.prove-backup pending Copy Run id ${shortId(id)}`))
    await lookAt(t, page, 'blocked run')
    await needs.getByRole('link').nth(1).click()
    await page.getByText('It is due in').waitFor()
    t.match(page.url(), `/console/work/runs/${other}`)

    await app.db.collection<{ _id: string }>('jobs.runs').updateOne(
      { _id: cause }, { $set: { runAt: app.clock.now() } })
    await page.goBack()
    await page.getByText('Went after').waitFor()
    await needs.getByText('dead').waitFor()

    await open('/console/work/letters')
    await page.getByRole('table', { name: 'Dead letters by kind' }).getByRole('link').click()
    const letters = page.getByRole('table', { name: 'Letters', exact: true })
    await letters.getByRole('link').first().click()
    const ended = page.getByRole('list', { name: 'Runs that ended with it' })
    await ended.waitFor()
    t.same(await ended.getByRole('link').allTextContents(), [blocked])
    await lookAt(t, page, 'letter')
    await ended.getByRole('link').click()
    await page.getByText('Went after').waitFor()
    t.match(page.url(), `/console/work/runs/${blocked}`)
  })

  await t.test('a run under the cap of its workspace says so, and one over its rate', async (t) => {
    const workspaceId = uuidv7()
    const add = async (options: Partial<AddOptions> = {}): Promise<string> => (await app.tx(async (session) =>
      await app.jobs.add(session, startDailyReports, {}, { workspaceId, ...options }))).id
    const live = await add({ runAt: new Date(app.clock.ms() + 3_600_000) })
    await app.capacity.setShare(workspaceId, { maxLive: 1 })
    // At work for as long as this takes, with a worker that lives as long.
    const now = app.clock.now()
    await app.db.collection<WorkerRow>('jobs.workers').insertOne({
      _id: 'theirs', host: 'elsewhere', pid: 1, startedAt: now.getTime(), codeVersion: '0', queues: {}, handles: [],
      rssBytes: 0, lagMs: 0, seenAt: new Date(now.getTime() + 3_600_000)
    })
    const runs = app.db.collection<{ _id: string, state: string }>('jobs.runs')
    await runs.updateOne({ _id: live }, {
      $set: { state: 'running', isLive: true, worker: 'theirs', claim: 'theirs', startedAt: now }
    })
    // Those that are added before the relay knows of a limit go.
    const says = async (words: RegExp): Promise<boolean> => {
      const id = await add()
      await open(`/console/work/runs/${id}`)
      const isTold = async (): Promise<boolean> => words.test(await page.locator('main').textContent() ?? '')
      const isDone = async (): Promise<boolean> => await runs.countDocuments({ _id: id, state: 'done' }) === 1
      await until('it waits or went', async () => await isTold() || await isDone())
      return await isTold()
    }
    await until('the cap', async () => await says(/It waits: its workspace has as many runs of this queue at work as/))
    await lookAt(t, page, 'capped run')
    await app.capacity.setShare(workspaceId, { perMin: 0.1 })
    await until('the rate', async () => await says(/It waits: its workspace has a rate of starts, which is used up/))
  })

  await t.test('a schedule is explained, run now, paused and resumed', async (t) => {
    await open('/console/work/schedules')
    await page.getByRole('link', { name: 'jobs.clear-records-weekly' }).click()
    const panel = page.getByRole('complementary')
    await panel.getByRole('table', { name: 'Next slots' }).waitFor()
    t.equal(await panel.getByRole('table', { name: 'Next slots' }).getByText('fire').count(), 10)
    await panel.getByRole('button', { name: 'Run now' }).click()
    await panel.getByRole('table', { name: 'Past slots' }).getByRole('row').nth(1).waitFor()
    t.equal(await panel.locator('.panel-body').evaluate((body: Sized) => body.scrollWidth - body.clientWidth), 0,
      'the panel has room for its tables')
    await lookAt(t, page, 'schedules')
    await panel.getByRole('button', { name: 'Pause' }).click()
    await panel.getByText('the schedule is paused').first().waitFor()
    await panel.getByRole('button', { name: 'Resume' }).click()
    await panel.getByRole('button', { name: 'Pause' }).waitFor()
    const explained = async (...shown: string[]): Promise<void> => {
      await page.reload()
      for (const text of shown) await panel.getByText(text).first().waitFor()
    }
    const now = app.clock.now()
    await app.queueControl.pause({ id: 'a test' } as Actor, 'upkeep', {})
    await explained('wait', 'the queue is paused')
    await lookAt(t, page, 'explained')
    await app.queueControl.resume('upkeep', {})
    await app.capacity.setResource('*', { blackouts: [{ from: now.toISOString(), to: '2999-01-01T00:00:00Z' }] })
    await explained('in a blackout window')
    await app.capacity.setResource('*', {})
    await page.keyboard.press('Escape')
    await until('the panel closed', async () => await panel.count() === 0)
  })

  await t.test('the address of a schedule opens it, on whatever page of the list it is', async (t) => {
    const rows = app.db.collection<{ _id: string, name: string }>('jobs.schedules')
    const known = await rows.findOne({ name: 'jobs.clear-records-weekly' })
    if (known === null) throw new Error('no schedule')
    const newer = Array.from({ length: 60 }, (_, n) => (
      { ...known, _id: uuidv7(), name: `newer-${n}`, isEnabled: false }))
    await rows.insertMany(newer)
    await open(`/console/work/schedules?schedule=${known._id}`)
    const table = page.getByRole('table', { name: 'Schedules' })
    await table.waitFor()
    await page.getByRole('complementary').getByRole('heading', { name: known.name }).waitFor()
    t.equal(await table.getByText(known.name).count(), 0, 'its page was not read')
    await open(`/console/work/schedules?schedule=${uuidv7()}`)
    await page.getByRole('complementary').getByText('No schedule has this id.').waitFor()
  })

  await t.test('the board of BullMQ is a click away', async () => {
    await open('/console/work')
    await page.getByRole('button', { name: 'Board of BullMQ' }).click()
    await page.waitForURL((url) => url.pathname.startsWith('/board'))
    await page.getByRole('link', { name: 'upkeep' }).first().waitFor()
  })
  t.same(complaints, [])
})

t.test('a member has no such place, and the interface refuses it too', async (t) => {
  const stage = await openStage(t, { posts: [] })
  const { page, open, complaints } = stage
  await signUp(stage)
  t.equal(await page.getByRole('link', { name: 'Work' }).count(), 0)
  const answer = await stage.app.inject({ url: '/v1/jobs/queues', headers: await headersOf(page) })
  t.match(answer.json(), { status: 403, code: 'identity.permission_denied' })
  await open('/console/work')
  await page.getByText('This is for operators').waitFor()
  t.same(complaints, [])
})

/** What the page sends with its calls. */
async function headersOf (page: Page): Promise<Record<string, string>> {
  const sent = page.waitForRequest((request) => request.headers()['authorization'] !== undefined)
  await page.reload()
  return { authorization: (await sent).headers()['authorization'] ?? '' }
}

/** As the console writes it. */
const shortId = (id: string): string => `${id.slice(0, 8)}…${id.slice(-4)}`

/** A proof of a backup where none can be made: no key is configured. */
async function addProof ({ tx, jobs }: Stage['app'], options: Partial<AddOptions> = {}): Promise<string> {
  const { id } = await tx(async (session) => await jobs.add(
    session, proveBackup, { backupId: null }, { workspaceId: '', ...options }))
  return id
}

/** The same, not due for as long as a test takes. */
async function addPlanned (app: Stage['app']): Promise<string> {
  return await addProof(app, { runAt: new Date(app.clock.ms() + 3_600_000) })
}
