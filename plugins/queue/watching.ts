import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import {
  canaryEveryMs, createCanaries, createCanaryRepository, createLoadRepository, createRunRepository, lateQueues,
  usedQueues
} from '../../src/jobs/index.ts'
import type { LeaseTurn } from '../../src/kernel/index.ts'
import { createQueueNews } from './queue-news.ts'
import { createWatchGauges } from './watch-gauges.ts'

const everyMs = 10_000
const newsMs = 2000
/** A label for each tenant would be one without end. */
const mostTenants = 10

export const watchLease = 'jobs.watch'

/**
 * The loop of one process of the installation: news of the queues every two seconds, figures of the
 * backlog every ten, canaries every fifty.
 */
export function createWatch (app: FastifyInstance, onAdded: (queue: string, workspaceId: string) => void) {
  const { db, clock, tx, log } = app
  const repository = createCanaryRepository(db)
  const used = () => usedQueues(app.registry)
  const { measure, clear } = createMeasure(app)

  return async ({ signal }: LeaseTurn): Promise<void> => {
    const canaries = createCanaries({
      canaries: repository, runs: createRunRepository(db), events: app.events, tx, clock, onAdded, queues: used
    })
    let nextMs = performance.now() + canaryEveryMs
    async function turn (): Promise<void> {
      await measure()
      if (performance.now() < nextMs && !await canaries.isDue()) return
      nextMs = performance.now() + canaryEveryMs
      await canaries.turn()
    }
    async function again (ms: number, work: () => Promise<void>): Promise<void> {
      while (!signal.aborted) {
        await work().catch((err: unknown) => { log.warn({ err }, 'a turn of the watch failed') })
        await sleep(ms, undefined, { signal }).catch(() => undefined)
      }
    }
    const news = createQueueNews({ control: app.queueControl, live: app.live, used, log })
    await Promise.all([again(everyMs, turn), again(newsMs, news)])
    // Another process goes on with them.
    clear()
  }
}

/** Shows how things stand; what is not known has no value. */
export function createMeasure ({ db, clock, metrics, registry }: FastifyInstance) {
  const load = createLoadRepository(db)
  const canaries = createCanaryRepository(db)
  const gauges = createWatchGauges(metrics)

  async function measure (): Promise<void> {
    const now = clock.now()
    const ageS = (at: Date): number => (now.getTime() - at.getTime()) / 1000
    const [live, held, oldest, busiest, letters, oldestLetterAt, provenAt, hasFailed, latest] = await Promise.all([
      load.live(), load.held(), load.oldest(usedQueues(registry), now), load.busiest(mostTenants), load.openLetters(),
      load.oldestLetterAt(), load.provenAt(), load.hasBackupFailed(), canaries.latest()
    ])
    const late = new Set(lateQueues(latest, now.getTime()).map(({ queue }) => queue))
    gauges.clear()
    gauges.letters.set(letters)
    if (oldestLetterAt !== undefined) gauges.oldestLetter.set(ageS(oldestLetterAt))
    if (provenAt !== undefined) gauges.proven.set(ageS(provenAt))
    if (hasFailed !== undefined) gauges.backupFailed.set(Number(hasFailed))
    for (const { queue } of latest) gauges.canaryMissed.set({ queue }, Number(late.has(queue)))
    for (const { workspaceId, count } of busiest) gauges.busiest.set({ workspace: workspaceId }, count)
    for (const { count, ...labels } of live) gauges.live.set(labels, count)
    for (const { count, ...labels } of held) gauges.held.set(labels, count)
    for (const { queue, lane, runAt } of oldest) gauges.oldest.set({ queue, lane }, ageS(runAt))
  }

  return { measure, clear: gauges.clear }
}
