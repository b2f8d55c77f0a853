// `npm run bench -- console`: W1 first paint and weight of the page, W2 what it costs to watch a first sync of 3,207
// posts from the account and from Home at once; against limits, since nobody else draws this page.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CDPSession, Page } from 'playwright-core'
import { startServices } from '../bin/services.ts'
import { connectByToken, openStage, signUp, until, type Stage } from '../test/console/stage.ts'
import { readPosts } from '../test/stand-ins/platforms/index.ts'
import { report, summarize, type Verdict } from './measure.ts'

const paints = 5
const undo: Array<() => unknown> = []
const bench = { teardown: (act: () => unknown) => { undo.push(act) } }

try {
  const services = await startServices({ dir: mkdtempSync(join(tmpdir(), 'switchyard-bench-')), persist: false })
  undo.push(async () => { await services.stop() })
  Object.assign(process.env, { MONGO_URL: services.mongoUrl, REDIS_URL: services.redisUrl })
  const stage = await openStage(bench, { posts: readPosts(), mediaBytesPerSecond: 256 * 1024 })
  await stage.page.addInitScript(noteLongTasks)
  await signUp(stage)
  await connectByToken(stage)
  const [first, second] = [await coldLoads(stage), await watchSync(stage)]
  report('console', [...first, ...second])
} finally {
  for (const act of undo.toReversed()) await act()
}

function limit (id: string, what: string, unit: string, values: number[], most: number): Verdict {
  const ours = summarize('console', values)
  const baseline = summarize('limit', [most])
  return { id, what, unit, ours, baseline, must: { atMost: 1 } }
}

/** W1: a cold cache each time; the weight is what comes over the wire, without headers. */
async function coldLoads ({ page, address }: Stage): Promise<Verdict[]> {
  const times: number[] = []
  const weights: number[] = []
  for (let n = 0; n < paints; n++) {
    const cold = await page.context().newPage()
    const session = await page.context().newCDPSession(cold)
    await session.send('Network.enable')
    await session.send('Network.setCacheDisabled', { cacheDisabled: true })
    const weight = weigh(session)
    await cold.goto(`${address}/console`)
    await cold.locator('.cards').waitFor()
    times.push(await cold.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN))
    weights.push(weight() / 1024)
    await cold.close()
  }
  return [
    limit('W1', 'first contentful paint, signed in, cold cache', 'ms', times, 1000),
    limit('W1', 'script of the first load, compressed', 'KB', weights, 90)
  ]
}

function weigh (session: CDPSession): () => number {
  const scripts = new Set<string>()
  let sum = 0
  session.on('Network.responseReceived', ({ requestId, type }) => { if (type === 'Script') scripts.add(requestId) })
  session.on('Network.dataReceived', ({ requestId, encodedDataLength }) => {
    if (scripts.has(requestId)) sum += encodedDataLength
  })
  return () => sum
}

/** W2: the account in front, Home behind it. */
async function watchSync ({ page, address }: Stage): Promise<Verdict[]> {
  const home = await page.context().newPage()
  await home.addInitScript(noteLongTasks)
  await home.goto(`${address}/console`)
  await home.locator('.cards').waitFor()
  await page.bringToFront()
  await page.getByRole('button', { name: 'Sync now' }).first().click()
  const clicks: number[] = []
  await until('the whole account', async () => {
    clicks.push(await click(page, clicks.length % 2 === 0 ? /Downloads/ : /Posts \d/))
    await page.waitForTimeout(500)
    return await page.locator('[data-figure=stored]').textContent() === '3,207'
  }, 180_000)
  const pages = [page, home]
  const tasks = await Promise.all(pages.map(async (one) => await one.evaluate(() => Math.max(0, ...longTasks))))
  return [
    limit('W2', 'longest task while 3,207 posts come', 'ms', tasks, 100),
    limit('W2', 'answer to a click meanwhile, the slowest', 'ms', [Math.max(...clicks)], 200),
    limit('W2', 'heap at the end', 'MB', await Promise.all(pages.map(heapOf)), 60)
  ]
}

/** Milliseconds from a click to the frame that answers it, as the page itself measures them. */
async function click (page: Page, name: RegExp): Promise<number> {
  const tab = page.getByRole('tab', { name }).first()
  return await tab.evaluate(async (element: { click: () => void }) => {
    const before = performance.now()
    element.click()
    await new Promise((resolve) => { requestAnimationFrame(resolve) })
    return performance.now() - before
  })
}

async function heapOf (page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  return usedSize / 1e6
}

// Runs in the page.
declare let longTasks: number[]
declare const requestAnimationFrame: (then: (at: number) => void) => number

function noteLongTasks (): void {
  const notes: number[] = []
  Object.assign(globalThis, { longTasks: notes })
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) notes.push(duration)
  }).observe({ type: 'longtask' as never, buffered: true })
}
