import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Gauge } from 'prom-client'
import {
  canaryEveryMs, createCanaries, createCanaryRepository, createLoadRepository, createRunRepository, usedQueues
} from '../../src/jobs/index.ts'
import type { LeaseTurn } from '../../src/kernel/index.ts'
import { createQueueNews } from './queue-news.ts'

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
  const load = createLoadRepository(db)
  const gauges = createGauges(app)
  const used = () => usedQueues(app.registry)

  async function measure (): Promise<void> {
    const now = clock.now()
    const [live, held, oldest, busiest, letters, provenAt] = await Promise.all([
      load.live(), load.held(), load.oldest(used(), now), load.busiest(mostTenants), load.openLetters(),
      load.provenAt()
    ])
    gauges.clear()
    gauges.letters.set(letters)
    if (provenAt !== undefined) gauges.proven.set((now.getTime() - provenAt.getTime()) / 1000)
    for (const { workspaceId, count } of busiest) gauges.busiest.set({ workspace: workspaceId }, count)
    for (const [queue, count] of live) gauges.live.set({ queue }, count)
    for (const { queue, reason, count } of held) gauges.held.set({ queue, reason }, count)
    for (const { queue, lane, runAt } of oldest) {
      gauges.oldest.set({ queue, lane }, (now.getTime() - runAt.getTime()) / 1000)
    }
  }

  return async ({ signal }: LeaseTurn): Promise<void> => {
    const canaries = createCanaries({
      canaries: createCanaryRepository(db), runs: createRunRepository(db), events: app.events, tx, clock, onAdded,
      queues: used
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
    gauges.clear()
  }
}

function createGauges ({ metrics }: FastifyInstance) {
  const registers = [metrics]
  const live = new Gauge({
    name: 'switchyard_jobs_live', help: 'Runs that are published or at work', labelNames: ['queue'], registers
  })
  const held = new Gauge({
    name: 'switchyard_jobs_held', help: 'Waiting runs that something holds', labelNames: ['queue', 'reason'], registers
  })
  const oldest = new Gauge({
    name: 'switchyard_jobs_oldest_seconds',
    help: 'Age of the oldest due run that nothing holds',
    labelNames: ['queue', 'lane'],
    registers
  })
  const busiest = new Gauge({
    name: 'switchyard_jobs_busiest_live',
    help: 'Live runs of the ten busiest workspaces',
    labelNames: ['workspace'],
    registers
  })
  const letters = new Gauge({ name: 'switchyard_jobs_letters_open', help: 'Dead letters that are open', registers })
  const proven = new Gauge({
    name: 'switchyard_jobs_backup_proven_age_seconds',
    help: 'Age of the last backup that was restored and compared',
    registers
  })
  const all = { live, held, oldest, busiest, letters, proven }
  return { ...all, clear () { for (const gauge of Object.values(all)) gauge.reset() } }
}
