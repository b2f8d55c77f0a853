export { permissions } from './access.ts'
export { RunAborted, WaitSignal, classify, judge, type Classified } from './classify.ts'
export { JobsError } from './errors.ts'
export { createEventBus, subscriberQueue } from './event-log.ts'
export { fingerprintOf } from './fingerprint.ts'
export { collections } from './indexes.ts'
export { deliveryId } from './keys.ts'
export { readPayload } from './payload.ts'
export { operationState } from './present.ts'
export { policyOf, priorityOf, queuesOf, rhythms, type RunPolicy } from './queues.ts'
export { createRecurrence } from './recurrence.ts'
export { createRunReads, type RunReads } from './reads.ts'
export {
  createClaimRepository, createEventRepository, createLeaseRepository, createRelayRepository, createRunRepository,
  createScheduleRepository, createSlotRepository, createWorkerRepository,
  type Candidate, type ClaimRepository, type Delivery, type LeaseRepository, type Outcome,
  type RelayRepository, type ScheduleRepository, type SlotRepository,
  type StartOfRun, type WorkerRepository, type WorkerRow
} from './repository.ts'
export type { Attempt, RunRow, StartKey } from './run.ts'
export { createScheduleAccess } from './schedules/access.ts'
export { checkDeclared, createDeclarer } from './schedules/declare.ts'
export { schedulePaused, slotMissed } from './schedules/events.ts'
export type { ScheduleRow, SlotRow } from './schedules/row.ts'
export { createSlots, judgeLateness, judgeSlot, noObstacles, smearMs, type Obstacles } from './schedules/rules.ts'
export {
  BackfillResultSchema, BackfillSchema, ExplanationSchema, NewScheduleSchema, SchedulePageSchema, SchedulePatchSchema,
  ScheduleQuerySchema, ScheduleSchema, ScheduleSlotPageSchema, ScheduleSlotSchema, scheduleSchemas
} from './schedules/schemas.ts'
export { createSchedulesService, type SchedulesService } from './schedules/service.ts'
export { createTicker } from './schedules/ticker.ts'
export { createSlotWriter } from './schedules/writer.ts'
export { createJobSender } from './sender.ts'
export { runTopic } from './topics.ts'
export { freePlaces, shareLanes } from './window.ts'
