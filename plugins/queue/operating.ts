import type { FastifyInstance } from 'fastify'
import {
  createBatchRepository, createCancelOrderRepository, createControlRepository, createEventPages, createEventService,
  createLetterRepository, createLetterService, createLimits, createNeedRepository, createOperations,
  createPauseRepository, createQueueControl, createQueueRepository, createRuleRepository, createRuleService,
  createRunControl, createRunRepository, createShareRepository, createSubscriberDuty, createSubscriberRepository,
  endCancelled, groupOpened, replayEvents, replayLetters, schemas, type EventService,
  type LetterService, type Operations, type QueueControl, type RuleService, type RunControl, type SubscriberDuty
} from '../../src/jobs/index.ts'
import { queues, runDead } from '../../src/kernel/index.ts'
import { tellCancelled } from './control.ts'
import { createRunPublisher } from './progress.ts'
import type { Waker } from './wake.ts'

declare module 'fastify' {
  interface FastifyInstance {
    runControl: RunControl
    operations: Operations
    queueControl: QueueControl
    letters: LetterService
    letterRules: RuleService
    eventLog: EventService
    subscriberDuty: SubscriberDuty
  }
}

/** What operators do with runs, queues, dead letters and the log of events (`jobs.md` 3.3). */
export function decorateOperating (app: FastifyInstance, { send, onAdded }: Waker): void {
  const { db, clock, tx, jobs, registry: known, log, bus } = app
  const runs = createRunRepository(db)
  const letters = createLetterRepository(db)
  const events = createEventPages(db)
  const batches = createBatchRepository(db)
  const publish = createRunPublisher(app.live, clock, log)

  app.declare({
    domain: 'jobs', events: [runDead, groupOpened], jobs: [replayLetters, replayEvents, endCancelled], schemas
  })
  const control = createRunControl({
    runs: createControlRepository(db),
    orders: createCancelOrderRepository(db),
    statesOf: createNeedRepository(db).statesOf,
    limitOf: createLimits({ shares: createShareRepository(db), clock }),
    jobs,
    known,
    tx,
    clock,
    tellWorkers: (ids) => { tellCancelled(bus, ids) },
    onManyMoved: () => { send({ queues: [...queues] }) },
    onEnded: app.tellEnded,
    onMoved (run, state) {
      if (state === 'cancelled') publish(run, undefined, state)
      send({
        queues: [run.queue],
        ...(run.isLive ? { ended: [[run.queue, run.workspaceId] as [string, string]] } : {}),
        ...(run.serial === undefined ? {} : { serials: [[run.workspaceId, run.serial]] })
      })
    }
  })
  app.decorate('runControl', control)
  app.decorate('operations', createOperations({ runs, control }))
  app.decorate('queueControl', createQueueControl({
    pauses: createPauseRepository(db),
    views: createQueueRepository(db),
    clock,
    onChanged: (queue) => { send({ queues: [queue], hasHolds: true }) }
  }))
  const service = createLetterService({ letters, runs, batches, jobs, known, tx, clock, onAdded })
  app.decorate('letters', service)
  app.decorate('letterRules', createRuleService({ rules: createRuleRepository(db), letters, runs, service, tx }))
  app.decorate('eventLog', createEventService({ events, runs, batches, jobs, known, tx, clock, onAdded }))
  app.decorate('subscriberDuty', createSubscriberDuty({
    subscribers: createSubscriberRepository(db), events, runs, known, tx, clock, onAdded, log
  }))
}
