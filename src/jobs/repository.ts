export { createCanaryRepository, type CanaryRepository, type CanaryRow } from './repository/canaries.ts'
export { createLoadRepository, type LoadRepository } from './repository/load.ts'
export {
  createClaimRepository, type ClaimRepository, type Outcome, type StartOfRun
} from './repository/claims.ts'
export { createDedupeRepository, type DedupeRepository } from './repository/dedupes.ts'
export { createEventRepository, type EventRepository, type EventRow } from './repository/events.ts'
export { createLeaseRepository, type LeaseRepository } from './repository/leases.ts'
export { createPoisonRepository, type PoisonRepository } from './repository/poison.ts'
export { createRelayRepository, type Candidate, type Delivery, type RelayRepository } from './repository/relay.ts'
export { createRunRepository, type RunRepository } from './repository/runs.ts'
export { createWorkerRepository, type WorkerRepository, type WorkerRow } from './repository/workers.ts'
