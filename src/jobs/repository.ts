export {
  createClaimRepository, type ClaimRepository, type Letter, type Outcome, type StartOfRun
} from './repository/claims.ts'
export { createControlRepository, type ControlRepository, type ListedRun } from './repository/control.ts'
export { createEventPages, type EventPages } from './repository/event-pages.ts'
export { createEventRepository, type EventRepository, type EventRow } from './repository/events.ts'
export { createLeaseRepository, type LeaseRepository } from './repository/leases.ts'
export { createLetterRepository, type LetterRepository } from './repository/letters.ts'
export { createPauseRepository, type Pause, type PauseRepository } from './repository/pauses.ts'
export { createRelayRepository, type Candidate, type Delivery, type RelayRepository } from './repository/relay.ts'
export { createRuleRepository, type RuleRepository, type RuleRow } from './repository/rules.ts'
export { createRunRepository, type RunRepository } from './repository/runs.ts'
export { createSubscriberRepository, type SubscriberRepository, type SubscriberRow } from './repository/subscribers.ts'
export { createWorkerRepository, type WorkerRepository, type WorkerRow } from './repository/workers.ts'
