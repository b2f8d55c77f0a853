import { lanes, queues, type CollectionDefinition } from '../kernel/index.ts'

const pending = { state: 'pending' }

/** A partial index is used where its first field is asked for: without the names of all queues every run is read. */
export const everyQueue = { queue: { $in: [...queues] } }
export const everyLane = { ...everyQueue, lane: { $in: [...lanes] } }

export const heldTarget = 'held_target'

export const collections: readonly CollectionDefinition[] = [
  {
    name: 'jobs.runs',
    indexes: [
      // The state first although the index has only one: with it the workspaces that wait are read from the index
      // alone, one step for each (DISTINCT_SCAN), however many runs each of them has. The slot is last: a workspace has
      // one, and the keeper of a partition sees in the index whose workspaces are its own.
      {
        name: 'waiting',
        keys: { state: 1, queue: 1, lane: 1, workspaceId: 1, heldBy: 1, runAt: 1, _id: 1, slot: 1 },
        partialFilterExpression: pending
      },
      // Held by what first: those that were just let go, or wait for a target, are not read on the way.
      {
        name: 'contest',
        keys: { resources: 1, heldBy: 1, rank: 1, slotAt: 1, _id: 1 },
        partialFilterExpression: { state: 'pending', resources: { $exists: true } }
      },
      { name: 'needs', keys: { needs: 1 }, partialFilterExpression: { state: 'blocked' } },
      { name: 'needed', keys: { state: 1 }, partialFilterExpression: { isNeeded: true } },
      { name: 'batch', keys: { batchId: 1, state: 1 }, partialFilterExpression: { batchId: { $exists: true } } },
      { name: 'workflow', keys: { workflowId: 1 }, partialFilterExpression: { workflowId: { $exists: true } } },
      { name: 'next', keys: { runAt: 1 }, partialFilterExpression: pending },
      {
        name: 'deadline',
        keys: { deadlineAt: 1 },
        partialFilterExpression: { state: { $in: ['blocked', 'pending'] }, deadlineAt: { $exists: true } }
      },
      {
        name: 'key', keys: {
          workspaceId: 1, name: 1, key: 1
        }, unique: true, partialFilterExpression: { key: { $exists: true } }
      },
      {
        name: 'dedupe',
        keys: { workspaceId: 1, name: 1, 'dedupe.key': 1 },
        unique: true,
        partialFilterExpression: { 'dedupe.isActive': true }
      },
      {
        name: 'dedupe_until', keys: { 'dedupe.until': 1 }, partialFilterExpression: { 'dedupe.isActive': true }
      },
      {
        name: 'serial_live',
        keys: { workspaceId: 1, serial: 1 },
        unique: true,
        partialFilterExpression: { isLive: true, serial: { $exists: true } }
      },
      {
        name: 'serial_waiting',
        keys: { workspaceId: 1, serial: 1, seq: 1 },
        partialFilterExpression: { state: 'pending', serial: { $exists: true } }
      },
      { name: 'live', keys: { queue: 1, publishedAt: 1 }, partialFilterExpression: { isLive: true } },
      { name: 'worker', keys: { worker: 1 }, partialFilterExpression: { state: 'running' } },
      {
        name: 'target',
        keys: { target: 1, heldBy: 1, rank: 1, slotAt: 1, _id: 1 },
        partialFilterExpression: { state: 'pending', target: { $exists: true } }
      },
      // Which targets hold runs up, however many runs each of them holds, and who of them tried the least.
      {
        name: heldTarget,
        keys: { target: 1, attempt: 1, _id: 1 },
        partialFilterExpression: { state: 'pending', heldBy: 'target' }
      },
      // Ids rise with the time of creation: a list of a workspace, newest first, is this index read backwards.
      { name: 'created', keys: { workspaceId: 1, _id: 1 } },
      { name: 'dead', keys: { workspaceId: 1, name: 1, _id: 1 }, partialFilterExpression: { state: 'dead' } },
      { name: 'cause', keys: { 'cause.id': 1 }, partialFilterExpression: { 'cause.id': { $exists: true } } },
      {
        name: 'schedule',
        keys: { 'cause.id': 1, state: 1, endedAt: -1 },
        partialFilterExpression: { 'cause.kind': 'schedule' }
      },
      {
        name: 'schedule_dead',
        keys: { endedAt: 1 },
        partialFilterExpression: { 'cause.kind': 'schedule', state: 'dead' }
      },
      // Set when a run ends: done 7 days, cancelled and expired 30. Dead runs stay until their letter is closed.
      {
        name: 'expire',
        keys: { expireAt: 1 },
        expireAfterSeconds: 0,
        // What is not over has no entry: each one costs every run a write more.
        partialFilterExpression: { expireAt: { $exists: true } }
      }
    ]
  },
  {
    name: 'jobs.letters',
    indexes: [
      { name: 'fingerprint', keys: { state: 1, fingerprint: 1 } },
      // What every worker asks for: runs of these start solo.
      { name: 'poison', keys: { class: 1, state: 1, failedAt: -1 }, partialFilterExpression: { class: 'poison' } },
      { name: 'failed', keys: { workspaceId: 1, state: 1, _id: 1 } },
      { name: 'oldest', keys: { failedAt: 1 }, partialFilterExpression: { state: 'open' } },
      { name: 'replaying', keys: { replayBy: 1, _id: 1 }, partialFilterExpression: { replayBy: { $exists: true } } },
      // Set when a letter is closed: 30 days.
      { name: 'expire', keys: { expireAt: 1 }, expireAfterSeconds: 0 }
    ]
  },
  // Where deaths of one fingerprint meet that might each be the first; rules that replay one after a deploy.
  { name: 'jobs.groups', indexes: [{ name: 'opened', keys: { openedAt: 1 }, expireAfterSeconds: 90 * 86_400 }] },
  { name: 'jobs.rules', indexes: [{ name: 'owner', keys: { workspaceId: 1 } }] },
  { name: 'jobs.pauses', indexes: [] },
  { name: 'jobs.cancel_orders', indexes: [] },
  { name: 'jobs.claim_checks', indexes: [{ name: 'kept', keys: { keepUntil: 1 } }] },
  {
    name: 'jobs.subscribers',
    indexes: [{ name: 'subscriber', keys: { event: 1, name: 1 }, unique: true }]
  },
  {
    name: 'jobs.events',
    indexes: [
      {
        name: 'subject',
        keys: { workspaceId: 1, 'subject.type': 1, 'subject.id': 1, 'subject.version': 1 },
        unique: true,
        partialFilterExpression: { 'subject.version': { $exists: true } }
      },
      { name: 'type', keys: { workspaceId: 1, type: 1, _id: 1 } },
      // Projections are folded from the log of all workspaces.
      { name: 'log', keys: { type: 1, _id: 1 } },
      // Each type says how long its log is kept; types kept for ever have no such time.
      { name: 'expire', keys: { expireAt: 1 }, expireAfterSeconds: 0 }
    ]
  },
  {
    name: 'jobs.workers',
    // A worker says every 3 seconds that it lives.
    indexes: [{ name: 'seen', keys: { seenAt: 1 }, expireAfterSeconds: 30 }]
  },
  {
    name: 'jobs.schedules',
    indexes: [
      { name: 'due', keys: { isEnabled: 1, nextSlotAt: 1 } },
      { name: 'name', keys: { workspaceId: 1, name: 1 }, unique: true },
      { name: 'listed', keys: { workspaceId: 1, _id: -1 } },
      { name: 'failing', keys: { failures: 1 }, partialFilterExpression: { failures: { $gt: 0 } } }
    ]
  },
  {
    name: 'jobs.slots',
    indexes: [
      { name: 'slot', keys: { scheduleId: 1, slotAt: 1 }, unique: true },
      // What a schedule did is shown for 90 days.
      { name: 'expire', keys: { decidedAt: 1 }, expireAfterSeconds: 90 * 86_400 }
    ]
  },
  { name: 'jobs.leases', indexes: [] },
  {
    name: 'jobs.resources',
    indexes: [
      { name: 'held', keys: { holdUntil: 1 }, partialFilterExpression: { holdUntil: { $exists: true } } }
    ]
  },
  { name: 'jobs.shares', indexes: [] },
  {
    name: 'jobs.batches',
    indexes: [
      { name: 'workspace', keys: { workspaceId: 1, state: 1 } },
      { name: 'open', keys: { state: 1, _id: 1 } },
      // Set when a batch is complete: 90 days.
      { name: 'expire', keys: { expireAt: 1 }, expireAfterSeconds: 0 }
    ]
  }
]
